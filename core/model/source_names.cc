#include "core/model/source_names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace modelpatch::model {
namespace {

using Rename = std::pair<std::string_view, std::string_view>;

constexpr std::array<Rename, 14> kWholeNames = {{
    {"visual.class_embedding", "vision_model.embeddings.class_embedding"},
    {"visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"},
    {"visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"},
    {"visual.ln_pre.weight", "vision_model.pre_layrnorm.weight"},
    {"visual.ln_pre.bias", "vision_model.pre_layrnorm.bias"},
    {"visual.ln_post.weight", "vision_model.post_layernorm.weight"},
    {"visual.ln_post.bias", "vision_model.post_layernorm.bias"},
    {"visual.proj", "visual_projection.weight"},
    {"token_embedding.weight", "text_model.embeddings.token_embedding.weight"},
    {"positional_embedding", "text_model.embeddings.position_embedding.weight"},
    {"ln_final.weight", "text_model.final_layer_norm.weight"},
    {"ln_final.bias", "text_model.final_layer_norm.bias"},
    {"text_projection", "text_projection.weight"},
    {"logit_scale", "logit_scale"},
}};

// What a SiglipModel has under other names, or a CLIPModel has not.
constexpr std::array<Rename, 16> kSiglipNames = {{
    {"visual.conv1.bias", "vision_model.embeddings.patch_embedding.bias"},
    {"visual.attn_pool.probe", "vision_model.head.probe"},
    {"visual.attn_pool.in_proj_weight", "vision_model.head.attention.in_proj_weight"},
    {"visual.attn_pool.in_proj_bias", "vision_model.head.attention.in_proj_bias"},
    {"visual.attn_pool.out_proj.weight", "vision_model.head.attention.out_proj.weight"},
    {"visual.attn_pool.out_proj.bias", "vision_model.head.attention.out_proj.bias"},
    {"visual.attn_pool.ln.weight", "vision_model.head.layernorm.weight"},
    {"visual.attn_pool.ln.bias", "vision_model.head.layernorm.bias"},
    {"visual.attn_pool.mlp.c_fc.weight", "vision_model.head.mlp.fc1.weight"},
    {"visual.attn_pool.mlp.c_fc.bias", "vision_model.head.mlp.fc1.bias"},
    {"visual.attn_pool.mlp.c_proj.weight", "vision_model.head.mlp.fc2.weight"},
    {"visual.attn_pool.mlp.c_proj.bias", "vision_model.head.mlp.fc2.bias"},
    {"text_projection", "text_model.head.weight"},
    {"text_projection_bias", "text_model.head.bias"},
    {"logit_bias", "logit_bias"},
    {"logit_scale", "logit_scale"},
}};

constexpr std::array<Rename, 5> kBlockNames = {{
    {"ln_1.", "layer_norm1."},
    {"attn.out_proj.", "self_attn.out_proj."},
    {"ln_2.", "layer_norm2."},
    {"mlp.c_fc.", "mlp.fc1."},
    {"mlp.c_proj.", "mlp.fc2."},
}};

constexpr std::string_view kVisionBlocks = "visual.transformer.resblocks.";
constexpr std::string_view kTextBlocks = "transformer.resblocks.";
constexpr std::string_view kFusedProjection = "attn.in_proj_";

// The source of a block's weight `tail` (such as "ln_1.weight"), below `prefix`.
SourceTensors BlockSource(const std::string& prefix, std::string_view tail) {
  if (tail.starts_with(kFusedProjection)) {
    const std::string kind(tail.substr(kFusedProjection.size()));
    return {{prefix + "self_attn.q_proj." + kind, prefix + "self_attn.k_proj." + kind,
             prefix + "self_attn.v_proj." + kind}};
  }
  for (const auto& [ours, theirs] : kBlockNames) {
    if (tail.starts_with(ours)) return {{prefix + std::string(theirs) + std::string(tail.substr(ours.size()))}};
  }
  return {};
}

SourceTensors HuggingFaceSource(std::string_view name) {
  for (const auto& [start, tower] : {Rename{kVisionBlocks, "vision_model"}, Rename{kTextBlocks, "text_model"}}) {
    if (!name.starts_with(start)) continue;
    const std::string_view rest = name.substr(start.size());
    const size_t dot = rest.find('.');
    const std::string prefix = std::string(tower) + ".encoder.layers." + std::string(rest.substr(0, dot)) + ".";
    return BlockSource(prefix, rest.substr(dot + 1));
  }
  for (const auto& [ours, theirs] : kWholeNames) {
    if (name == ours) return {{std::string(theirs)}, name == "visual.proj" || name == "text_projection"};
  }
  return {};
}

SourceTensors SiglipSource(std::string_view name) {
  for (const auto& [ours, theirs] : kSiglipNames) {
    if (name == ours) return {{std::string(theirs)}, name == "text_projection"};
  }
  return HuggingFaceSource(name);
}

SourceTensors CustomTextSource(std::string_view name) {
  const bool is_text = !name.starts_with("visual.") && name != "logit_scale";
  return {{is_text ? "text." + std::string(name) : std::string(name)}};
}

constexpr std::array<std::string_view, 5> kIgnored = {"attn_mask", "text.attn_mask", "input_resolution",
                                                      "context_length", "vocab_size"};

}  // namespace

SourceTensors SourceOf(SourceNames names, std::string_view name) {
  switch (names) {
    case SourceNames::kHuggingFace:
      return HuggingFaceSource(name);
    case SourceNames::kHuggingFaceSiglip:
      return SiglipSource(name);
    case SourceNames::kOpenAi:
      return {{std::string(name)}};
    case SourceNames::kOpenClipCustomText:
      return CustomTextSource(name);
  }
  return {};
}

bool IsIgnoredTensor(SourceNames names, std::string_view name) {
  if (names == SourceNames::kHuggingFace || names == SourceNames::kHuggingFaceSiglip) {
    return name.ends_with(".position_ids");
  }
  return std::find(kIgnored.begin(), kIgnored.end(), name) != kIgnored.end();
}

}  // namespace modelpatch::model
