#include "core/model/text_encoder.h"

#include <torch/torch.h>

#include <algorithm>
#include <string>

namespace modelpatch::model {
namespace {

enum StemWeight : size_t { kTokenEmbedding, kPositionalEmbedding, kStemWeights };
enum HeadWeight : size_t { kFinalNormWeight, kFinalNormBias, kProjection, kProjectionBias };

}  // namespace

TextEncoder::TextEncoder(const TextConfig& config, int64_t embedding_width)
    : config_(config),
      embedding_width_(embedding_width),
      block_{config.width,
             config.heads,
             config.mlp_width,
             config.activation,
             config.layer_norm_epsilon,
             /*causal=*/!config.is_siglip,
             config.layer_scale} {}

std::vector<tensor::WeightSpec> TextEncoder::WeightSpecs() const {
  std::vector<tensor::WeightSpec> specs = {
      {"token_embedding.weight", {config_.vocabulary_size, config_.width}},
      {"positional_embedding", {config_.context_length, config_.width}},
  };
  for (int64_t layer = 0; layer < config_.layers; ++layer) {
    AppendBlockWeights(block_, "transformer.resblocks." + std::to_string(layer) + ".", specs);
  }
  specs.push_back({"ln_final.weight", {config_.width}});
  specs.push_back({"ln_final.bias", {config_.width}});
  specs.push_back({"text_projection", {config_.width, embedding_width_}});
  if (config_.is_siglip) {
    specs.push_back({"text_projection_bias", {embedding_width_}});
    specs.push_back({"logit_bias", {1}});
    specs.push_back({"logit_scale", {1}});
  } else {
    specs.push_back({"logit_scale", {}});
  }
  return specs;
}

int64_t TextEncoder::PoolingPosition(const std::vector<int32_t>& ids) const {
  if (config_.pooling == TextPooling::kLast) return config_.context_length - 1;
  const auto found = config_.pooling == TextPooling::kArgmax
                         ? std::max_element(ids.begin(), ids.end())
                         : std::find(ids.begin(), ids.end(), static_cast<int32_t>(config_.end_of_text_id));
  return found == ids.end() ? 0 : found - ids.begin();
}

at::Tensor TextEncoder::Forward(const std::vector<at::Tensor>& weights,
                                std::span<const std::vector<int32_t>> texts) const {
  const auto count = static_cast<int64_t>(texts.size());
  // Only what lies at or before the pooled token matters.
  std::vector<int64_t> positions;
  int64_t length = 1;
  for (const std::vector<int32_t>& ids : texts) {
    positions.push_back(PoolingPosition(ids));
    length = std::max(length, positions.back() + 1);
  }
  std::vector<int64_t> ids(static_cast<size_t>(count * length), config_.padding_id);
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) {
    const std::vector<int32_t>& text = texts[static_cast<size_t>(i)];
    const auto used = std::min<int64_t>(length, static_cast<int64_t>(text.size()));
    std::copy_n(text.begin(), used, ids.begin() + i * length);
    rows.push_back(i * length + positions[static_cast<size_t>(i)]);
  }
  const at::Device device = weights[kTokenEmbedding].device();
  const at::Tensor tokens = torch::tensor(ids, at::kLong).to(device);
  at::Tensor x = at::embedding(weights[kTokenEmbedding], tokens).view({count, length, config_.width});
  x = (x + weights[kPositionalEmbedding].narrow(0, 0, length)).view({count * length, config_.width});
  const PlainLayers layers(weights);
  size_t next = kStemWeights;
  for (int64_t layer = 0; layer < config_.layers; ++layer) {
    x = ResidualBlock(block_, layers, next, x, length, /*first_query_only=*/false);
    next += static_cast<size_t>(block_.weight_count());
  }
  const at::Tensor pooled = x.index_select(0, torch::tensor(rows, at::kLong).to(device));
  const at::Tensor normed = layers.Norm(next + kFinalNormWeight, pooled, config_.layer_norm_epsilon);
  const at::Tensor projected = layers.Project(next + kProjection, normed);
  return config_.is_siglip ? projected + weights[next + kProjectionBias] : projected;
}

}  // namespace modelpatch::model
