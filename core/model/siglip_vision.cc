#include <torch/torch.h>

#include <string>

#include "core/model/attention.h"
#include "core/model/blocks.h"
#include "core/model/image_encoder.h"
#include "core/model/mixed_layers.h"
#include "core/model/patches.h"

namespace modelpatch::model {
namespace {

// The places of the weights around the blocks.
enum StemWeight : size_t { kPatchWeight, kPatchBias, kPositionalEmbedding, kStemWeights };
enum HeadWeight : size_t {
  kPostNormWeight,
  kPostNormBias,
  kProbe,
  kPoolWeight,
  kPoolBias,
  kPoolOutputWeight,
  kPoolOutputBias,
  kPoolNormWeight,
  kPoolNormBias,
  kPoolMlpWeight1,
  kPoolMlpBias1,
  kPoolMlpWeight2,
  kPoolMlpBias2,
};

class SiglipVision final : public ImageEncoder {
 public:
  explicit SiglipVision(const VisionConfig& config)
      : config_(config),
        grid_(config.grid()),
        block_{config.width,     config.heads,      config.mlp_width, config.activation, config.layer_norm_epsilon,
               /*causal=*/false, config.layer_scale} {}

  std::vector<tensor::WeightSpec> WeightSpecs() const override {
    const int64_t width = config_.width;
    std::vector<tensor::WeightSpec> specs = {
        {"visual.conv1.weight", {width, 3, config_.patch_size, config_.patch_size}},
        {"visual.conv1.bias", {width}},
        {"visual.positional_embedding", {grid_.pixels(), width}},
    };
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      AppendBlockWeights(block_, "visual.transformer.resblocks." + std::to_string(layer) + ".", specs);
    }
    specs.push_back({"visual.ln_post.weight", {width}});
    specs.push_back({"visual.ln_post.bias", {width}});
    specs.push_back({"visual.attn_pool.probe", {1, 1, width}});
    specs.push_back({"visual.attn_pool.in_proj_weight", {3 * width, width}});
    specs.push_back({"visual.attn_pool.in_proj_bias", {3 * width}});
    specs.push_back({"visual.attn_pool.out_proj.weight", {width, width}});
    specs.push_back({"visual.attn_pool.out_proj.bias", {width}});
    specs.push_back({"visual.attn_pool.ln.weight", {width}});
    specs.push_back({"visual.attn_pool.ln.bias", {width}});
    specs.push_back({"visual.attn_pool.mlp.c_fc.weight", {config_.mlp_width, width}});
    specs.push_back({"visual.attn_pool.mlp.c_fc.bias", {config_.mlp_width}});
    specs.push_back({"visual.attn_pool.mlp.c_proj.weight", {width, config_.mlp_width}});
    specs.push_back({"visual.attn_pool.mlp.c_proj.bias", {width}});
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
    const int64_t length = grid_.pixels();
    const at::Tensor patches = PatchRows(pixels, config_.patch_size, grid_.height, grid_.width);
    const at::Tensor embedded = layers.Linear(kPatchWeight, patches).to(at::kFloat);
    at::Tensor x = layers.AddPositions(kPositionalEmbedding, embedded.view({-1, length, config_.width}));
    x = x.view({-1, config_.width});
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      x = ResidualBlock(block_, layers, FirstWeight(layer), x, length, /*first_query_only=*/false);
    }
    const size_t head = FirstWeight(config_.layers);
    return Pool(layers, head, layers.Norm(head + kPostNormWeight, x, config_.layer_norm_epsilon), pixels.size(0));
  }

  // Of a block; behind the last one the head's.
  size_t FirstWeight(int64_t layer) const { return kStemWeights + static_cast<size_t>(layer * block_.weight_count()); }

  // [B, width]: what the probe finds in the tokens [B·T, width] by attention, and an MLP beside it.
  // Source: SiglipMultiheadAttentionPoolingHead.
  at::Tensor Pool(const Layers& layers, size_t head, const at::Tensor& tokens, int64_t batch) const {
    const int64_t width = config_.width;
    const int64_t length = tokens.size(0) / batch;
    const at::Tensor query = layers.LinearRows(head + kPoolWeight, layers.Expand(head + kProbe, batch), 0, width);
    const at::Tensor keys_and_values = layers.LinearRows(head + kPoolWeight, tokens, width, 2 * width);
    // The kernel takes rows (q | k | v) and asks with the first token of each image alone; the same q stands in all.
    const at::Tensor queries = query.unsqueeze(1).expand({batch, length, width}).reshape({batch * length, width});
    const at::Tensor attended = MultiHeadAttention(at::cat({queries, keys_and_values}, 1), length, config_.heads,
                                                   /*queries=*/1, /*causal=*/false);
    const at::Tensor pooled = layers.Linear(head + kPoolOutputWeight, attended).to(at::kFloat);
    const at::Tensor normed = layers.Norm(head + kPoolNormWeight, pooled, config_.layer_norm_epsilon);
    return pooled + layers.Mlp(head + kPoolMlpWeight1, normed, config_.activation);
  }

  const VisionConfig config_;
  const data::ImageSize grid_;  // patches
  const BlockConfig block_;
};

}  // namespace

std::unique_ptr<ImageEncoder> MakeSiglipVision(const VisionConfig& config) {
  return std::make_unique<SiglipVision>(config);
}

}  // namespace modelpatch::model
