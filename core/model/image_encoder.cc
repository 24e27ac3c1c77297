#include "core/model/image_encoder.h"

#include <torch/torch.h>

namespace modelpatch::model {

at::Tensor ImageEncoder::TrainingForward(const std::vector<at::Tensor>& weights, const at::Tensor& pixels) const {
  return Forward(weights, pixels);
}

at::Tensor ImageEncoder::MixedForward(const MixedBatch& /*batch*/, const at::Tensor& /*pixels*/) const {
  TORCH_CHECK(false, "this image encoder cannot mix weights within a batch");
}

std::unique_ptr<ImageEncoder> MakeImageEncoder(const VisionConfig& config, int64_t embedding_width) {
  if (!config.is_resnet() && config.pooling == ImagePooling::kAttention) return MakeSiglipVision(config);
  return config.is_resnet() ? MakeModifiedResNet(config, embedding_width)
                            : MakeVisionTransformer(config, embedding_width);
}

}  // namespace modelpatch::model
