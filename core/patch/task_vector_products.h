// Inner products of a gradient with task vectors: the chain rule of a mixture's coefficients.
#pragma once

#include <span>
#include <vector>

#include "core/patch/coefficient_groups.h"
#include "core/patch/interpolation.h"

namespace modelpatch::patch {

// ⟨g, θᵢ − base⟩ on the weights of each group, [k·groups], checkpoint by checkpoint, with g = `gradient`, fp32
// [trainable_size]. In double precision, in pieces of a fixed size, so that neither threads nor a copy of any task
// vector enter. All on one device. Throws what libtorch throws.
std::vector<double> TaskVectorProducts(const at::Tensor& gradient, const tensor::WeightSet& base,
                                       std::span<const BlobWeights> checkpoints, const CoefficientGroups& groups);

}  // namespace modelpatch::patch
