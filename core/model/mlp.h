// The feed-forward half of a transformer block.
#pragma once

#include "core/model/config.h"

namespace at {
class Tensor;
}

namespace modelpatch::model {

// activation(input·W₁ᵀ + b₁)·W₂ᵀ + b₂, in the dtype of the matrices, for [N, width], W₁ [mlp_width, width], W₂ [width,
// mlp_width]. QuickGELU costs no pass of its own: x·σ(1.702x) = silu(1.702x)/1.702, and both factors ride on the matrix
// products.
at::Tensor Mlp(const at::Tensor& input, const at::Tensor& weight1, const at::Tensor& bias1, const at::Tensor& weight2,
               const at::Tensor& bias2, Activation activation);

}  // namespace modelpatch::model
