#include "core/train/learned_head.h"

#include <torch/torch.h>

#include "core/tensor/compat.h"

namespace modelpatch::train {
namespace {

tensor::WeightSet ScaledEmbeddings(const model::ZeroShotHead& head, double logit_scale) {
  const at::Tensor& embeddings = *head.embeddings;
  const auto layout = tensor::WeightLayout::Make({{"classification_head.weight", embeddings.sizes().vec()}});
  const tensor::WeightSet weights(layout.value(), tensor::FromTorchDevice(embeddings.device()));
  at::Tensor rows = weights.views().front();
  rows.copy_(embeddings * logit_scale);
  return weights;
}

}  // namespace

LearnedHead::LearnedHead(const model::ZeroShotHead& start, double logit_scale)
    : state_(ScaledEmbeddings(start, logit_scale)) {}

at::Tensor LearnedHead::Logits(const at::Tensor& normalized_features) const {
  return at::mm(normalized_features, state_.weights.parameters().front().t());
}

}  // namespace modelpatch::train
