#include "core/tensor/trainable_weights.h"

#include <torch/torch.h>

#include <utility>

namespace modelpatch::tensor {

struct TrainableWeights::Leaves {
  std::vector<at::Tensor> parameters;
  at::Tensor gradient;
};

TrainableWeights::TrainableWeights(WeightSet weights)
    : weights_(std::move(weights)), leaves_(std::make_shared<Leaves>()) {
  const WeightLayout& layout = weights_.layout();
  leaves_->gradient = at::zeros({layout.trainable_size()}, weights_.flat().options());
  for (size_t i = 0; i < layout.weights().size(); ++i) {
    const WeightInfo& weight = layout.weights()[i];
    // Not detach(): leaves would share one version counter, and a BatchNorm that moves its statistics between forward
    // and backward would make every saved weight look changed.
    at::Tensor leaf = weights_.views()[i].variable_data();
    if (!weight.spec.is_buffer) {
      leaf.requires_grad_(true);
      leaf.mutable_grad() = leaves_->gradient.narrow(0, weight.offset, weight.numel).view(weight.spec.shape);
    }
    leaves_->parameters.push_back(std::move(leaf));
  }
}

const std::vector<at::Tensor>& TrainableWeights::parameters() const { return leaves_->parameters; }
at::Tensor TrainableWeights::trained_range() const {
  return weights_.flat().narrow(0, 0, weights_.layout().trainable_size());
}
const at::Tensor& TrainableWeights::gradient() const { return leaves_->gradient; }
void TrainableWeights::ZeroGradient() { leaves_->gradient.zero_(); }

}  // namespace modelpatch::tensor
