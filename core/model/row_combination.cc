#include "core/model/row_combination.h"

#include <ATen/Parallel.h>

namespace modelpatch::model {
namespace {

// Rows that one thread takes at least.
constexpr int64_t kGrainRows = 16;

// An element is read before it is written, and no other depends on it, so that `out` may be a part.
#define MP_INDEPENDENT_ELEMENTS _Pragma("GCC ivdep")

void CombineOne(const float* first, float c, const float* bias, int64_t width, float* out) {
  if (bias == nullptr) {
    MP_INDEPENDENT_ELEMENTS
    for (int64_t i = 0; i < width; ++i) out[i] = c * first[i];
  } else {
    MP_INDEPENDENT_ELEMENTS
    for (int64_t i = 0; i < width; ++i) out[i] = c * first[i] + bias[i];
  }
}

void CombineTwo(const float* first, float c, const float* second, float d, const float* bias, int64_t width,
                float* out) {
  if (bias == nullptr) {
    MP_INDEPENDENT_ELEMENTS
    for (int64_t i = 0; i < width; ++i) out[i] = c * first[i] + d * second[i];
  } else {
    MP_INDEPENDENT_ELEMENTS
    for (int64_t i = 0; i < width; ++i) out[i] = c * first[i] + d * second[i] + bias[i];
  }
}

void Add(const float* row, float c, int64_t width, float* out) {
  MP_INDEPENDENT_ELEMENTS
  for (int64_t i = 0; i < width; ++i) out[i] += c * row[i];
}

}  // namespace

void CombineRows(const RowCombination& shape, std::span<const RowPart> parts, float* out) {
  const int64_t rows = shape.samples * shape.rows_per_sample;
  at::parallel_for(0, rows, kGrainRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t sample = row / shape.rows_per_sample;
      const auto coefficient = [&](size_t part) {
        return shape.factor * parts[part].coefficients[sample * shape.coefficient_stride];
      };
      const auto row_of = [&](size_t part) { return parts[part].rows + row * shape.width; };
      const float* bias = shape.bias == nullptr ? nullptr : shape.bias + sample * shape.width;
      float* to = out + row * shape.width;
      if (parts.size() == 1) {
        CombineOne(row_of(0), coefficient(0), bias, shape.width, to);
        continue;
      }
      CombineTwo(row_of(0), coefficient(0), row_of(1), coefficient(1), bias, shape.width, to);
      for (size_t part = 2; part < parts.size(); ++part) Add(row_of(part), coefficient(part), shape.width, to);
    }
  });
}

}  // namespace modelpatch::model
