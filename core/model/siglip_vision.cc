#include <torch/torch.h>

#include <span>
#include <string>

#include "core/model/attention.h"
#include "core/model/blocks.h"
#include "core/model/image_encoder.h"
#include "core/model/mlp.h"
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
    const int64_t length = grid_.pixels();
    const at::Tensor patches = PatchRows(pixels, config_.patch_size, grid_.height, grid_.width);
    const at::Tensor embedded =
        Linear(patches, weights[kPatchWeight].view({config_.width, -1}), weights[kPatchBias]).to(at::kFloat);
    at::Tensor x =
        (embedded.view({-1, length, config_.width}) + weights[kPositionalEmbedding]).view({-1, config_.width});
    const std::span<const at::Tensor> all(weights);
    const auto block_weights = static_cast<size_t>(block_.weight_count());
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      const auto block = all.subspan(kStemWeights + static_cast<size_t>(layer) * block_weights, block_weights);
      x = ResidualBlock(block_, block, x, length, /*first_query_only=*/false);
    }
    const auto head = all.subspan(kStemWeights + static_cast<size_t>(config_.layers) * block_weights);
    return Pool(head, LayerNorm(x, head[kPostNormWeight], head[kPostNormBias], config_.layer_norm_epsilon), length);
  }

 private:
  // [B, width]: what the probe finds in the tokens [B·length, width] by attention, and an MLP beside it.
  // Source: SiglipMultiheadAttentionPoolingHead.
  at::Tensor Pool(std::span<const at::Tensor> head, const at::Tensor& tokens, int64_t length) const {
    const int64_t width = config_.width;
    const at::Tensor query = Linear(head[kProbe].view({1, width}), head[kPoolWeight].narrow(0, 0, width),
                                    head[kPoolBias].narrow(0, 0, width));
    const at::Tensor keys_and_values =
        Linear(tokens, head[kPoolWeight].narrow(0, width, 2 * width), head[kPoolBias].narrow(0, width, 2 * width));
    // The kernel takes rows (q | k | v) and asks with the first token of each image alone; the same q stands in all.
    const at::Tensor projected = at::cat({query.expand({tokens.size(0), width}), keys_and_values}, 1);
    const at::Tensor attended = MultiHeadAttention(projected, length, config_.heads, /*queries=*/1, /*causal=*/false);
    const at::Tensor pooled = Linear(attended, head[kPoolOutputWeight], head[kPoolOutputBias]).to(at::kFloat);
    const at::Tensor normed = LayerNorm(pooled, head[kPoolNormWeight], head[kPoolNormBias], config_.layer_norm_epsilon);
    return pooled + Mlp(normed, head[kPoolMlpWeight1], head[kPoolMlpBias1], head[kPoolMlpWeight2], head[kPoolMlpBias2],
                        config_.activation);
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
