#include <torch/torch.h>

#include <string>

#include "core/model/blocks.h"
#include "core/model/image_encoder.h"
#include "core/model/mixed_layers.h"
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
    return Run(PlainLayers(weights), pixels);
  }

  bool can_mix() const override { return true; }

  at::Tensor MixedForward(const MixedBatch& batch, const at::Tensor& pixels) const override {
    return Run(*MakeMixedLayers(batch), pixels);
  }

 private:
  at::Tensor Run(const Layers& layers, const at::Tensor& pixels) const {
    const int64_t length = grid_.pixels() + 1;
    at::Tensor x = EmbedPatches(layers, pixels);
    if (config_.pre_norm) x = layers.Norm(kPreNormWeight, x, config_.layer_norm_epsilon);
    x = x.view({-1, config_.width});
    const bool one_token = config_.pooling == ImagePooling::kClassToken;
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      x = ResidualBlock(block_, layers, FirstWeight(layer), x, length,
                        /*first_query_only=*/one_token && layer + 1 == config_.layers);
    }
    const size_t head = FirstWeight(config_.layers);
    const at::Tensor pooled =
        one_token ? Normalize(layers, x) : PoolPatches(layers, x.view({-1, length, config_.width}));
    return layers.Project(head + kProjection, pooled);
  }

  // Of a block; behind the last one the head's.
  size_t FirstWeight(int64_t layer) const { return stem_weights_ + static_cast<size_t>(layer * block_.weight_count()); }

  at::Tensor Normalize(const Layers& layers, const at::Tensor& x) const {
    return layers.Norm(FirstWeight(config_.layers) + kPostNormWeight, x, config_.layer_norm_epsilon);
  }

  // [B, width] of the tokens [B, 1 + patches, width]: the mean without the class token, normed before or after.
  // Source: open_clip transformer.py, VisionTransformer._pool.
  at::Tensor PoolPatches(const Layers& layers, const at::Tensor& tokens) const {
    const at::Tensor patches = tokens.slice(1, 1);
    return config_.norm_after_pooling ? Normalize(layers, patches.mean(1)) : Normalize(layers, patches).mean(1);
  }

  // [B, 1 + patches, width]: class token, then the patches row by row, with their positions.
  at::Tensor EmbedPatches(const Layers& layers, const at::Tensor& pixels) const {
    const int64_t batch = pixels.size(0);
    const at::Tensor patches = PatchRows(pixels, config_.patch_size, grid_.height, grid_.width);
    const at::Tensor embedded = layers.Product(kPatchWeight, patches).view({batch, grid_.pixels(), config_.width});
    const at::Tensor class_token = layers.Expand(kClassEmbedding, batch).unsqueeze(1);
    return layers.AddPositions(kPositionalEmbedding, at::cat({class_token, embedded}, 1));
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
