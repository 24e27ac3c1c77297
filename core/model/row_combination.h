// The one kernel of a mixed batch: rows of several products added up with coefficients of their samples.
//
// Thread safety: pure; runs on libtorch's threads.
#pragma once

#include <cstdint>
#include <span>

namespace modelpatch::model {

// What one source gives to a range of samples: fp32 rows [samples · rows_per_sample, width], one after the other.
struct RowPart {
  const float* rows;
  // Of each sample, `coefficient_stride` floats apart.
  const float* coefficients;
};

// out[b, t] = Σ_parts factor · coefficient_b · part[b, t] + bias_b, for samples b, rows t and `width` columns. `bias`
// is [samples, width] or null; `out` may be the rows of the first part.
struct RowCombination {
  int64_t samples;
  int64_t rows_per_sample;
  int64_t width;
  int64_t coefficient_stride;
  float factor;
  const float* bias;
};
void CombineRows(const RowCombination& shape, std::span<const RowPart> parts, float* out);

}  // namespace modelpatch::model
