#include <torch/torch.h>

#include <span>
#include <string>

#include "core/model/blocks.h"
#include "core/model/image_encoder.h"
#include "core/model/patches.h"

namespace modelpatch::model {
namespace {

// The places of the weights around the blocks. Without a norm before the blocks its two are left out.
enum StemWeight : size_t { kClassEmbedding, kPatchWeight, kPositionalEmbedding, kPreNormWeight, kPreNormBias };
enum HeadWeight : size_t { kPostNormWeight, kPostNormBias, kProjection };

class VisionTransformer final : public ImageEncoder {
 public:
  VisionTransformer(const VisionConfig& config, int64_t embedding_width)
      : config_(config),
        embedding_width_(embedding_width),
        grid_(config.grid()),
        stem_weights_(config.pre_norm ? kPreNormBias + 1 : kPositionalEmbedding + 1),
        block_{config.width,     config.heads,      config.mlp_width, config.activation, config.layer_norm_epsilon,
               /*causal=*/false, config.layer_scale} {}

  std::vector<tensor::WeightSpec> WeightSpecs() const override {
    const int64_t width = config_.width;
    std::vector<tensor::WeightSpec> specs = {
        {"visual.class_embedding", {width}},
        {"visual.conv1.weight", {width, 3, config_.patch_size, config_.patch_size}},
        {"visual.positional_embedding", {grid_.pixels() + 1, width}},
    };
    if (config_.pre_norm) {
      specs.push_back({"visual.ln_pre.weight", {width}});
      specs.push_back({"visual.ln_pre.bias", {width}});
    }
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      AppendBlockWeights(block_, "visual.transformer.resblocks." + std::to_string(layer) + ".", specs);
    }
    specs.push_back({"visual.ln_post.weight", {width}});
    specs.push_back({"visual.ln_post.bias", {width}});
    specs.push_back({"visual.proj", {width, embedding_width_}});
    return specs;
  }

  at::Tensor Forward(const std::vector<at::Tensor>& weights, const at::Tensor& pixels) const override {
    const int64_t length = grid_.pixels() + 1;
    at::Tensor x = EmbedPatches(weights, pixels);
    if (config_.pre_norm) {
      x = LayerNorm(x, weights[kPreNormWeight], weights[kPreNormBias], config_.layer_norm_epsilon);
    }
    x = x.view({-1, config_.width});
    const bool one_token = config_.pooling == ImagePooling::kClassToken;
    const std::span<const at::Tensor> all(weights);
    const auto block_weights = static_cast<size_t>(block_.weight_count());
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      const auto block = all.subspan(stem_weights_ + static_cast<size_t>(layer) * block_weights, block_weights);
      x = ResidualBlock(block_, block, x, length, /*first_query_only=*/one_token && layer + 1 == config_.layers);
    }
    const auto head = all.subspan(stem_weights_ + static_cast<size_t>(config_.layers) * block_weights);
    const at::Tensor pooled = one_token ? Normalize(head, x) : PoolPatches(head, x.view({-1, length, config_.width}));
    return at::mm(pooled.to(head[kProjection].scalar_type()), head[kProjection]).to(at::kFloat);
  }

 private:
  at::Tensor Normalize(std::span<const at::Tensor> head, const at::Tensor& x) const {
    return LayerNorm(x, head[kPostNormWeight], head[kPostNormBias], config_.layer_norm_epsilon);
  }

  // [B, width] of the tokens [B, 1 + patches, width]: the mean without the class token, normed before or after.
  // Source: open_clip transformer.py, VisionTransformer._pool.
  at::Tensor PoolPatches(std::span<const at::Tensor> head, const at::Tensor& tokens) const {
    const at::Tensor patches = tokens.slice(1, 1);
    return config_.norm_after_pooling ? Normalize(head, patches.mean(1)) : Normalize(head, patches).mean(1);
  }

  // [B, 1 + patches, width]: class token, then the patches row by row, with their positions.
  at::Tensor EmbedPatches(const std::vector<at::Tensor>& weights, const at::Tensor& pixels) const {
    const int64_t batch = pixels.size(0);
    const at::Tensor patches = PatchRows(pixels, config_.patch_size, grid_.height, grid_.width);
    const at::Tensor& kernel = weights[kPatchWeight];
    const at::Tensor embedded =
        at::mm(patches.to(kernel.scalar_type()), kernel.view({config_.width, -1}).t()).to(at::kFloat);
    const at::Tensor class_token = weights[kClassEmbedding].expand({batch, 1, config_.width});
    return at::cat({class_token, embedded.view({batch, grid_.pixels(), config_.width})}, 1) +
           weights[kPositionalEmbedding];
  }

  const VisionConfig config_;
  const int64_t embedding_width_;
  const data::ImageSize grid_;  // patches
  const size_t stem_weights_;
  const BlockConfig block_;
};

}  // namespace

std::unique_ptr<ImageEncoder> MakeVisionTransformer(const VisionConfig& config, int64_t embedding_width) {
  return std::make_unique<VisionTransformer>(config, embedding_width);
}

}  // namespace modelpatch::model
