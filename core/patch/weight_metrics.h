// How far apart two sets of weights, or two sets of features, are. Pure functions; they throw what libtorch throws.
#pragma once

#include <cstdint>

namespace at {
class Tensor;
}

namespace modelpatch::patch {

struct WeightSimilarity {
  double cosine;
  double mean_absolute_difference;
};

// Of two fp32 vectors of equal size, in double precision. For weight sets pass their flat tensors and `count` = n: the
// padding is zero in both and changes only the mean's divisor.
WeightSimilarity CompareWeights(const at::Tensor& a, const at::Tensor& b, int64_t count);

// Linear CKA of features a [N, p] and b [N, q] of the same N examples, columns centred:
// ‖aᵀb‖² / (‖aᵀa‖·‖bᵀb‖) in Frobenius norms, in double precision. In [0, 1]; 0 if either is constant.
// Source: Kornblith et al. 2019, equation 2 with a linear kernel.
double LinearCka(const at::Tensor& a, const at::Tensor& b);

}  // namespace modelpatch::patch
