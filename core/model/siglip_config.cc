#include "core/model/siglip_config.h"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "core/model/config_section.h"

namespace modelpatch::model {
namespace {

using nlohmann::json;

constexpr std::string_view kFile = "config.json";
constexpr int64_t kChannels = 3;

absl::StatusOr<TextConfig> ReadText(ConfigSection& top, int64_t embedding_width) {
  ConfigSection section = top.Child("text_config");
  TextConfig text;
  text.vocabulary_size = section.Integer("vocab_size", 32000);
  text.context_length = section.Integer("max_position_embeddings", 64);
  text.width = section.Integer("hidden_size", 768);
  text.layers = section.Integer("num_hidden_layers", 12);
  text.heads = section.Integer("num_attention_heads", 12);
  text.mlp_width = section.Integer("intermediate_size", 3072);
  text.activation = section.HuggingFaceActivation("hidden_act", Activation::kGeluTanh);
  text.layer_norm_epsilon = section.Number("layer_norm_eps", 1e-6);
  text.padding_id = section.Integer("pad_token_id", 1);
  // The config's own is a leftover of CLIP's that lies outside the vocabulary, and nothing pools at it.
  text.end_of_text_id = text.padding_id;
  text.pooling = TextPooling::kLast;
  text.is_siglip = true;
  if (const int64_t projection = section.Integer("projection_size", text.width); projection != embedding_width) {
    section.Fail("projection_size",
                 fmt::format("is {}; the image tower gives features of {}", projection, embedding_width));
  }
  MP_RETURN_IF_ERROR(section.status());
  return text;
}

absl::StatusOr<VisionConfig> ReadVision(ConfigSection& top) {
  ConfigSection section = top.Child("vision_config");
  VisionConfig vision;
  vision.image_size = section.Integer("image_size", 224);
  vision.patch_size = section.Integer("patch_size", 16);
  vision.width = section.Integer("hidden_size", 768);
  vision.layers = section.Integer("num_hidden_layers", 12);
  vision.heads = section.Integer("num_attention_heads", 12);
  vision.mlp_width = section.Integer("intermediate_size", 3072);
  vision.activation = section.HuggingFaceActivation("hidden_act", Activation::kGeluTanh);
  vision.layer_norm_epsilon = section.Number("layer_norm_eps", 1e-6);
  vision.pre_norm = false;
  vision.pooling = ImagePooling::kAttention;
  const int64_t channels = section.Integer("num_channels", kChannels);
  if (channels != kChannels) section.Fail("num_channels", fmt::format("is {}; it must be {}", channels, kChannels));
  if (!section.Boolean("vision_use_head", true)) {
    section.Fail("vision_use_head", "is false; without its head the tower gives no features");
  }
  MP_RETURN_IF_ERROR(section.status());
  return vision;
}

}  // namespace

absl::StatusOr<ModelConfig> ReadSiglipConfig(const json& root) {
  ConfigSection top(kFile, "", &root);
  ModelConfig config;
  MP_ASSIGN_OR_RETURN(config.vision, ReadVision(top));
  config.embedding_width = config.vision.width;
  MP_ASSIGN_OR_RETURN(config.text, ReadText(top, config.embedding_width));
  MP_RETURN_IF_ERROR(top.status());
  return config;
}

std::string WriteSiglipConfig(const ModelConfig& config) {
  const nlohmann::ordered_json root = {
      {"architectures", nlohmann::ordered_json::array({"SiglipModel"})},
      {"model_type", "siglip"},
      {"text_config",
       {{"model_type", "siglip_text_model"},
        {"vocab_size", config.text.vocabulary_size},
        {"max_position_embeddings", config.text.context_length},
        {"hidden_size", config.text.width},
        {"num_hidden_layers", config.text.layers},
        {"num_attention_heads", config.text.heads},
        {"intermediate_size", config.text.mlp_width},
        {"hidden_act", NameOf(config.text.activation)},
        {"layer_norm_eps", config.text.layer_norm_epsilon},
        {"projection_size", config.embedding_width},
        {"pad_token_id", config.text.padding_id}}},
      {"vision_config",
       {{"model_type", "siglip_vision_model"},
        {"image_size", config.vision.image_size.height},
        {"patch_size", config.vision.patch_size},
        {"num_channels", kChannels},
        {"hidden_size", config.vision.width},
        {"num_hidden_layers", config.vision.layers},
        {"num_attention_heads", config.vision.heads},
        {"intermediate_size", config.vision.mlp_width},
        {"hidden_act", NameOf(config.vision.activation)},
        {"layer_norm_eps", config.vision.layer_norm_epsilon}}},
  };
  return root.dump(2) + "\n";
}

}  // namespace modelpatch::model
