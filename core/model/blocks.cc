#include "core/model/blocks.h"

#include <torch/torch.h>

#include "core/model/attention.h"

namespace modelpatch::model {
namespace {

// The places of a block's weights, in the order of AppendBlockWeights.
enum BlockWeight : size_t {
  kNorm1Weight,
  kNorm1Bias,
  kProjectionWeight,
  kProjectionBias,
  kOutputWeight,
  kOutputBias,
  kNorm2Weight,
  kNorm2Bias,
  kMlpWeight1,
  kMlpBias1,
  kMlpWeight2,
  kMlpBias2,
  kGain1,
  kGain2,
};

}  // namespace

void AppendBlockWeights(const BlockConfig& config, const std::string& prefix, std::vector<tensor::WeightSpec>& specs) {
  const int64_t width = config.width;
  specs.push_back({prefix + "ln_1.weight", {width}});
  specs.push_back({prefix + "ln_1.bias", {width}});
  specs.push_back({prefix + "attn.in_proj_weight", {3 * width, width}});
  specs.push_back({prefix + "attn.in_proj_bias", {3 * width}});
  specs.push_back({prefix + "attn.out_proj.weight", {width, width}});
  specs.push_back({prefix + "attn.out_proj.bias", {width}});
  specs.push_back({prefix + "ln_2.weight", {width}});
  specs.push_back({prefix + "ln_2.bias", {width}});
  specs.push_back({prefix + "mlp.c_fc.weight", {config.mlp_width, width}});
  specs.push_back({prefix + "mlp.c_fc.bias", {config.mlp_width}});
  specs.push_back({prefix + "mlp.c_proj.weight", {width, config.mlp_width}});
  specs.push_back({prefix + "mlp.c_proj.bias", {width}});
  if (!config.layer_scale) return;
  specs.push_back({prefix + "ls_1.gamma", {width}});
  specs.push_back({prefix + "ls_2.gamma", {width}});
}

at::Tensor ResidualBlock(const BlockConfig& config, const Layers& layers, size_t first, const at::Tensor& activations,
                         int64_t length, bool first_query_only) {
  const double epsilon = config.layer_norm_epsilon;
  const at::Tensor normed = layers.Norm(first + kNorm1Weight, activations, epsilon);
  const at::Tensor projected = layers.Linear(first + kProjectionWeight, normed);
  const int64_t queries = first_query_only ? 1 : length;
  const at::Tensor attended = MultiHeadAttention(projected, length, config.heads, queries, config.causal);
  const at::Tensor residual =
      first_query_only ? activations.view({-1, length, config.width}).select(1, 0) : activations;
  const auto scaled = [&](const at::Tensor& branch, BlockWeight gain) {
    return config.layer_scale ? layers.Scale(first + gain, branch) : branch;
  };
  const at::Tensor middle = residual + scaled(layers.Linear(first + kOutputWeight, attended), kGain1);
  const at::Tensor normed2 = layers.Norm(first + kNorm2Weight, middle, epsilon);
  return middle + scaled(layers.Mlp(first + kMlpWeight1, normed2, config.activation), kGain2);
}

}  // namespace modelpatch::model
