#include "core/tensor/small_gemm.h"

#include <dlfcn.h>

#include <algorithm>

namespace modelpatch::tensor {
namespace {

using SgemmFunction = void (*)(const char* transpose_a, const char* transpose_b, const int* m, const int* n,
                               const int* k, const float* alpha, const float* a, const int* lda, const float* b,
                               const int* ldb, const float* beta, float* c, const int* ldc);

// libtorch brings a BLAS into the process but does not export a matrix product on bare pointers.
SgemmFunction FindSgemm() { return reinterpret_cast<SgemmFunction>(dlsym(RTLD_DEFAULT, "sgemm_")); }

float At(const GemmOperand& matrix, int64_t row, int64_t column) {
  return matrix.transposed ? matrix.data[column * matrix.stride + row] : matrix.data[row * matrix.stride + column];
}

// For a libtorch whose BLAS keeps its symbols to itself.
void PlainGemm(int64_t rows, int64_t columns, int64_t inner, float scale, const GemmOperand& a, const GemmOperand& b,
               float* out, int64_t stride) {
  for (int64_t i = 0; i < rows; ++i) {
    float* row = out + i * stride;
    std::fill(row, row + columns, 0.0f);
    for (int64_t k = 0; k < inner; ++k) {
      const float factor = scale * At(a, i, k);
      for (int64_t j = 0; j < columns; ++j) row[j] += factor * At(b, k, j);
    }
  }
}

}  // namespace

void SmallGemm(int64_t rows, int64_t columns, int64_t inner, float scale, const GemmOperand& a, const GemmOperand& b,
               float* out, int64_t stride) {
  static const SgemmFunction sgemm = FindSgemm();
  if (sgemm == nullptr) return PlainGemm(rows, columns, inner, scale, a, b, out, stride);
  // BLAS is column-major: the row-major product is (bᵀ·aᵀ)ᵀ, so the operands change places.
  const auto m = static_cast<int>(columns);
  const auto n = static_cast<int>(rows);
  const auto k = static_cast<int>(inner);
  const auto lda = static_cast<int>(b.stride);
  const auto ldb = static_cast<int>(a.stride);
  const auto ldc = static_cast<int>(stride);
  const float beta = 0;
  sgemm(b.transposed ? "T" : "N", a.transposed ? "T" : "N", &m, &n, &k, &scale, b.data, &lda, a.data, &ldb, &beta, out,
        &ldc);
}

}  // namespace modelpatch::tensor
