#include <torch/torch.h>

#include <span>
#include <string>

#include "core/model/blocks.h"
#include "core/model/image_encoder.h"

namespace modelpatch::model {
namespace {

// The places of the weights around the blocks.
enum StemWeight : size_t {
  kClassEmbedding,
  kPatchWeight,
  kPositionalEmbedding,
  kPreNormWeight,
  kPreNormBias,
  kStemWeights
};
enum HeadWeight : size_t { kPostNormWeight, kPostNormBias, kProjection };

class VisionTransformer final : public ImageEncoder {
 public:
  VisionTransformer(const VisionConfig& config, int64_t embedding_width)
      : config_(config),
        embedding_width_(embedding_width),
        grid_(config.image_size / config.patch_size),
        block_{config.width, config.heads, config.mlp_width, config.activation, config.layer_norm_epsilon, false} {}

  std::vector<tensor::WeightSpec> WeightSpecs() const override {
    const int64_t width = config_.width;
    std::vector<tensor::WeightSpec> specs = {
        {"visual.class_embedding", {width}},
        {"visual.conv1.weight", {width, 3, config_.patch_size, config_.patch_size}},
        {"visual.positional_embedding", {grid_ * grid_ + 1, width}},
        {"visual.ln_pre.weight", {width}},
        {"visual.ln_pre.bias", {width}},
    };
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      AppendBlockWeights(block_, "visual.transformer.resblocks." + std::to_string(layer) + ".", specs);
    }
    specs.push_back({"visual.ln_post.weight", {width}});
    specs.push_back({"visual.ln_post.bias", {width}});
    specs.push_back({"visual.proj", {width, embedding_width_}});
    return specs;
  }

  at::Tensor Forward(const std::vector<at::Tensor>& weights, const at::Tensor& pixels) const override {
    const int64_t length = grid_ * grid_ + 1;
    const double epsilon = config_.layer_norm_epsilon;
    at::Tensor x = LayerNorm(EmbedPatches(weights, pixels), weights[kPreNormWeight], weights[kPreNormBias], epsilon);
    x = x.view({-1, config_.width});
    const std::span<const at::Tensor> all(weights);
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      const auto block = all.subspan(kStemWeights + static_cast<size_t>(layer * kWeightsPerBlock), kWeightsPerBlock);
      x = ResidualBlock(block_, block, x, length, /*first_query_only=*/layer + 1 == config_.layers);
    }
    const auto head = all.subspan(kStemWeights + static_cast<size_t>(config_.layers * kWeightsPerBlock));
    return at::mm(LayerNorm(x, head[kPostNormWeight], head[kPostNormBias], epsilon), head[kProjection]);
  }

 private:
  // [B, 1 + grid², width]: class token, then the patches row by row, with their positions.
  at::Tensor EmbedPatches(const std::vector<at::Tensor>& weights, const at::Tensor& pixels) const {
    const int64_t batch = pixels.size(0);
    const int64_t patch = config_.patch_size;
    // A convolution whose stride is its kernel is one matrix product over the patches.
    const at::Tensor patches = pixels.slice(2, 0, grid_ * patch)
                                   .slice(3, 0, grid_ * patch)
                                   .reshape({batch, 3, grid_, patch, grid_, patch})
                                   .permute({0, 2, 4, 1, 3, 5})
                                   .reshape({batch * grid_ * grid_, 3 * patch * patch});
    const at::Tensor embedded = at::mm(patches, weights[kPatchWeight].view({config_.width, -1}).t());
    const at::Tensor class_token = weights[kClassEmbedding].expand({batch, 1, config_.width});
    return at::cat({class_token, embedded.view({batch, grid_ * grid_, config_.width})}, 1) +
           weights[kPositionalEmbedding];
  }

  const VisionConfig config_;
  const int64_t embedding_width_;
  const int64_t grid_;
  const BlockConfig block_;
};

}  // namespace

std::unique_ptr<ImageEncoder> MakeVisionTransformer(const VisionConfig& config, int64_t embedding_width) {
  return std::make_unique<VisionTransformer>(config, embedding_width);
}

}  // namespace modelpatch::model
