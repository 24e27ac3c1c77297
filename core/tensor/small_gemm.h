// SmallGemm: one fp32 matrix product on the CPU through the BLAS that libtorch uses, without a tensor around it.
//
// For the many small products of attention, where a tensor operator's overhead is longer than the product.
// Thread safety: pure; call it inside at::parallel_for for parallelism.
#pragma once

#include <cstdint>

namespace modelpatch::tensor {

// A row-major matrix whose rows lie `stride` floats apart, transposed if so marked.
struct GemmOperand {
  const float* data;
  int64_t stride;
  bool transposed;
};

// out[rows, columns] = scale · a[rows, inner] · b[inner, columns], rows of out lying `stride` floats apart.
void SmallGemm(int64_t rows, int64_t columns, int64_t inner, float scale, const GemmOperand& a, const GemmOperand& b,
               float* out, int64_t stride);

}  // namespace modelpatch::tensor
