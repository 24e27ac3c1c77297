#include "core/model/hf_config.h"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "core/data/show_json.h"
#include "core/model/config_section.h"
#include "core/model/siglip_config.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;
using data::ShowJson;
using nlohmann::json;

constexpr std::string_view kFile = "config.json";
constexpr int64_t kArgmaxEndOfTextId = 2;
constexpr int64_t kChannels = 3;
constexpr double kDefaultLogitScale = 2.6592;

// The text or the vision part. transformers makes a whole config of an older dictionary, its class's defaults included,
// and lets all its values replace those of the newer section; so the section beside a dictionary says nothing.
ConfigSection TowerSection(ConfigSection& top, const std::string& key) {
  ConfigSection section = top.Child(key.c_str());
  const ConfigSection dictionary = top.Child((key + "_dict").c_str());
  if (!dictionary.exists()) return section;
  return {kFile, key, top.Find((key + "_dict").c_str())};
}

bool IsSiglip(const json& root) {
  const auto type = root.find("model_type");
  return type != root.end() && *type == "siglip";
}

absl::Status CheckModelType(const json& root) {
  const auto type = root.find("model_type");
  if (type != root.end() && (*type == "clip" || *type == "siglip")) return absl::OkStatus();
  return base::WithField(
      InvalidArgument("MODEL_TYPE_UNSUPPORTED",
                      fmt::format("config.json: model_type is {}; only \"clip\" and \"siglip\" are supported",
                                  type == root.end() ? std::string("missing") : ShowJson(*type))),
      "model_type");
}

// The defaults below are those of transformers' CLIPTextConfig and CLIPVisionConfig.
absl::StatusOr<TextConfig> ReadText(ConfigSection& top) {
  ConfigSection section = TowerSection(top, "text_config");
  TextConfig text;
  text.vocabulary_size = section.Integer("vocab_size", 49408);
  text.context_length = section.Integer("max_position_embeddings", 77);
  text.width = section.Integer("hidden_size", 512);
  text.layers = section.Integer("num_hidden_layers", 12);
  text.heads = section.Integer("num_attention_heads", 8);
  text.mlp_width = section.Integer("intermediate_size", 2048);
  text.activation = section.HuggingFaceActivation("hidden_act", Activation::kQuickGelu);
  text.layer_norm_epsilon = section.Number("layer_norm_eps", 1e-5);
  const int64_t end_of_text = section.Integer("eos_token_id", kArgmaxEndOfTextId);
  const bool argmax = end_of_text == kArgmaxEndOfTextId;
  text.pooling = argmax ? TextPooling::kArgmax : TextPooling::kFirstEndOfText;
  text.end_of_text_id = argmax ? text.vocabulary_size - 1 : end_of_text;
  MP_RETURN_IF_ERROR(section.status());
  return text;
}

absl::StatusOr<VisionConfig> ReadVision(ConfigSection& top) {
  ConfigSection section = TowerSection(top, "vision_config");
  VisionConfig vision;
  vision.image_size = section.Integer("image_size", 224);
  vision.patch_size = section.Integer("patch_size", 32);
  vision.width = section.Integer("hidden_size", 768);
  vision.layers = section.Integer("num_hidden_layers", 12);
  vision.heads = section.Integer("num_attention_heads", 12);
  vision.mlp_width = section.Integer("intermediate_size", 3072);
  vision.activation = section.HuggingFaceActivation("hidden_act", Activation::kQuickGelu);
  vision.layer_norm_epsilon = section.Number("layer_norm_eps", 1e-5);
  const int64_t channels = section.Integer("num_channels", kChannels);
  if (channels != kChannels) section.Fail("num_channels", fmt::format("is {}; it must be {}", channels, kChannels));
  MP_RETURN_IF_ERROR(section.status());
  return vision;
}

absl::StatusOr<ModelConfig> ReadClipConfig(const json& root) {
  ConfigSection top(kFile, "", &root);
  ModelConfig config;
  MP_ASSIGN_OR_RETURN(config.text, ReadText(top));
  MP_ASSIGN_OR_RETURN(config.vision, ReadVision(top));
  config.embedding_width = top.Integer("projection_dim", 512);
  config.initial_logit_scale = top.Number("logit_scale_init_value", kDefaultLogitScale);
  MP_RETURN_IF_ERROR(top.status());
  return config;
}

}  // namespace

absl::StatusOr<ModelConfig> ParseHuggingFaceConfig(std::string_view config_json) {
  MP_ASSIGN_OR_RETURN(const json root, ParseConfigDocument(config_json, kFile));
  MP_RETURN_IF_ERROR(CheckModelType(root));
  MP_ASSIGN_OR_RETURN(ModelConfig config, IsSiglip(root) ? ReadSiglipConfig(root) : ReadClipConfig(root));
  if (const absl::Status status = CheckModelConfig(config); !status.ok())
    return base::WithContext(status, "config.json");
  return config;
}

std::string WriteHuggingFaceConfig(const ModelConfig& config) {
  if (config.is_siglip()) return WriteSiglipConfig(config);
  const bool argmax = config.text.pooling == TextPooling::kArgmax;
  const nlohmann::ordered_json root = {
      {"architectures", nlohmann::ordered_json::array({"CLIPModel"})},
      {"model_type", "clip"},
      {"logit_scale_init_value", config.initial_logit_scale},
      {"projection_dim", config.embedding_width},
      {"text_config",
       {{"model_type", "clip_text_model"},
        {"vocab_size", config.text.vocabulary_size},
        {"max_position_embeddings", config.text.context_length},
        {"hidden_size", config.text.width},
        {"num_hidden_layers", config.text.layers},
        {"num_attention_heads", config.text.heads},
        {"intermediate_size", config.text.mlp_width},
        {"hidden_act", NameOf(config.text.activation)},
        {"layer_norm_eps", config.text.layer_norm_epsilon},
        {"projection_dim", config.embedding_width},
        {"eos_token_id", argmax ? kArgmaxEndOfTextId : config.text.end_of_text_id}}},
      {"vision_config",
       {{"model_type", "clip_vision_model"},
        {"image_size", config.vision.image_size.height},
        {"patch_size", config.vision.patch_size},
        {"num_channels", kChannels},
        {"hidden_size", config.vision.width},
        {"num_hidden_layers", config.vision.layers},
        {"num_attention_heads", config.vision.heads},
        {"intermediate_size", config.vision.mlp_width},
        {"hidden_act", NameOf(config.vision.activation)},
        {"layer_norm_eps", config.vision.layer_norm_epsilon},
        {"projection_dim", config.embedding_width}}},
  };
  return root.dump(2) + "\n";
}

}  // namespace modelpatch::model
