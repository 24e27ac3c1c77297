// TrainableWeights: a weight set whose weights are leaves of the autograd graph, with one flat gradient.
//
// Each parameter is a leaf tensor that shares θ's storage, and its .grad is a view into the flat gradient, which is
// zeroed in place. Nothing differentiates through slices of the flat tensor: each slice's backward would be as large as
// θ. Thread safety: one thread.
#pragma once

#include <vector>

#include "core/tensor/weight_set.h"

namespace modelpatch::tensor {

class TrainableWeights {
 public:
  // Trains `weights` in place: the caller gives a clone that nobody else reads. Throws what libtorch throws.
  explicit TrainableWeights(WeightSet weights);

  const WeightSet& weights() const { return weights_; }
  // The leaves (buffers: plain views), in the layout's order; pass these to a forward.
  const std::vector<at::Tensor>& parameters() const;
  // fp32 [trainable_size]: θ's trained range and its gradient.
  at::Tensor trained_range() const;
  const at::Tensor& gradient() const;
  void ZeroGradient();

 private:
  struct Leaves;
  WeightSet weights_;
  std::shared_ptr<Leaves> leaves_;
};

}  // namespace modelpatch::tensor
