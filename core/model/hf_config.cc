#include "core/model/hf_config.h"

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "core/data/show_json.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;
using data::ShowJson;
using nlohmann::json;

constexpr size_t kMaximumBytes = 1 << 20;
constexpr int64_t kArgmaxEndOfTextId = 2;
constexpr int64_t kChannels = 3;
constexpr double kDefaultLogitScale = 2.6592;

absl::Status Invalid(std::string_view field, std::string_view message) {
  return base::WithField(InvalidArgument("MODEL_CONFIG_INVALID", fmt::format("config.json: {} {}", field, message)),
                         field);
}

// One part of the file (the top, the text or the vision part). The first error is kept, and reading goes on with
// defaults, so that the caller checks once.
class Section {
 public:
  Section(const json& root, std::string_view name) : name_(name) {
    if (name.empty()) {
      source_ = &root;
      return;
    }
    // transformers makes a whole config of an older dictionary, its class's defaults included, and lets all its values
    // replace those of the newer section; so the section beside a dictionary says nothing.
    const std::string key(name);
    const json* section = Object(root, key);
    const json* dictionary = Object(root, key + "_dict");
    source_ = dictionary != nullptr ? dictionary : section;
  }

  int64_t Integer(const char* key, int64_t fallback) {
    const json* value = Find(key);
    if (value == nullptr) return fallback;
    const bool fits = value->is_number_integer() &&
                      !(value->is_number_unsigned() &&
                        value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
    if (fits) return value->get<int64_t>();
    Fail(key, fmt::format("is {}; it must be an integer", ShowJson(*value)));
    return fallback;
  }

  double Number(const char* key, double fallback) {
    const json* value = Find(key);
    if (value == nullptr) return fallback;
    if (value->is_number()) return value->get<double>();
    Fail(key, fmt::format("is {}; it must be a number", ShowJson(*value)));
    return fallback;
  }

  Activation ReadActivation() {
    const json* value = Find("hidden_act");
    if (value == nullptr || *value == "quick_gelu") return Activation::kQuickGelu;
    if (*value == "gelu") return Activation::kGelu;
    if (*value == "gelu_new" || *value == "gelu_pytorch_tanh") return Activation::kGeluTanh;
    Fail("hidden_act",
         fmt::format("is {}; quick_gelu, gelu, gelu_new and gelu_pytorch_tanh are supported", ShowJson(*value)));
    return Activation::kQuickGelu;
  }

  const absl::Status& status() const { return status_; }

 private:
  const json* Object(const json& root, const std::string& key) {
    const auto found = root.find(key);
    if (found == root.end() || found->is_null()) return nullptr;
    if (found->is_object()) return &*found;
    if (status_.ok()) status_ = Invalid(key, fmt::format("is {}; it must be an object", ShowJson(*found)));
    return nullptr;
  }
  // Null counts as left out.
  const json* Find(const char* key) const {
    if (source_ == nullptr) return nullptr;
    const auto found = source_->find(key);
    return found == source_->end() || found->is_null() ? nullptr : &*found;
  }
  void Fail(const char* key, const std::string& message) {
    if (status_.ok()) status_ = Invalid(name_.empty() ? key : fmt::format("{}.{}", name_, key), message);
  }

  std::string name_;
  const json* source_ = nullptr;  // null: everything is left out
  absl::Status status_;
};

absl::Status CheckModelType(const json& root) {
  const auto type = root.find("model_type");
  if (type != root.end() && *type == "clip") return absl::OkStatus();
  return base::WithField(InvalidArgument("MODEL_TYPE_UNSUPPORTED",
                                         fmt::format("config.json: model_type is {}; only \"clip\" is supported",
                                                     type == root.end() ? std::string("missing") : ShowJson(*type))),
                         "model_type");
}

// The defaults below are those of transformers' CLIPTextConfig and CLIPVisionConfig.
absl::StatusOr<TextConfig> ReadText(const json& root) {
  Section section(root, "text_config");
  TextConfig text;
  text.vocabulary_size = section.Integer("vocab_size", 49408);
  text.context_length = section.Integer("max_position_embeddings", 77);
  text.width = section.Integer("hidden_size", 512);
  text.layers = section.Integer("num_hidden_layers", 12);
  text.heads = section.Integer("num_attention_heads", 8);
  text.mlp_width = section.Integer("intermediate_size", 2048);
  text.activation = section.ReadActivation();
  text.layer_norm_epsilon = section.Number("layer_norm_eps", 1e-5);
  const int64_t end_of_text = section.Integer("eos_token_id", kArgmaxEndOfTextId);
  const bool argmax = end_of_text == kArgmaxEndOfTextId;
  text.pooling = argmax ? TextPooling::kArgmax : TextPooling::kFirstEndOfText;
  text.end_of_text_id = argmax ? text.vocabulary_size - 1 : end_of_text;
  MP_RETURN_IF_ERROR(section.status());
  return text;
}

absl::StatusOr<VisionConfig> ReadVision(const json& root) {
  Section section(root, "vision_config");
  VisionConfig vision;
  vision.image_size = section.Integer("image_size", 224);
  vision.patch_size = section.Integer("patch_size", 32);
  vision.width = section.Integer("hidden_size", 768);
  vision.layers = section.Integer("num_hidden_layers", 12);
  vision.heads = section.Integer("num_attention_heads", 12);
  vision.mlp_width = section.Integer("intermediate_size", 3072);
  vision.activation = section.ReadActivation();
  vision.layer_norm_epsilon = section.Number("layer_norm_eps", 1e-5);
  const int64_t channels = section.Integer("num_channels", kChannels);
  MP_RETURN_IF_ERROR(section.status());
  if (channels != kChannels)
    return Invalid("vision_config.num_channels", fmt::format("is {}; it must be {}", channels, kChannels));
  return vision;
}

}  // namespace

absl::StatusOr<ModelConfig> ParseHuggingFaceConfig(std::string_view config_json) {
  if (config_json.size() > kMaximumBytes) {
    return InvalidArgument("MODEL_CONFIG_NOT_JSON", fmt::format("config.json has {} bytes; at most {} are allowed",
                                                                config_json.size(), kMaximumBytes));
  }
  const json root = json::parse(config_json.begin(), config_json.end(), nullptr, false);
  // The JSON parser takes a NUL for the end of the text; whatever follows would go unseen.
  if (!root.is_object() || config_json.find('\0') != std::string_view::npos) {
    return InvalidArgument("MODEL_CONFIG_NOT_JSON", "config.json is not a JSON object");
  }
  MP_RETURN_IF_ERROR(CheckModelType(root));
  ModelConfig config;
  MP_ASSIGN_OR_RETURN(config.text, ReadText(root));
  MP_ASSIGN_OR_RETURN(config.vision, ReadVision(root));
  Section top(root, "");
  config.embedding_width = top.Integer("projection_dim", 512);
  config.initial_logit_scale = top.Number("logit_scale_init_value", kDefaultLogitScale);
  MP_RETURN_IF_ERROR(top.status());
  if (const absl::Status status = CheckModelConfig(config); !status.ok())
    return base::WithContext(status, "config.json");
  return config;
}

std::string WriteHuggingFaceConfig(const ModelConfig& config) {
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
        {"image_size", config.vision.image_size},
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
