#include "core/model/open_clip_config.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "core/data/show_json.h"
#include "core/model/config_section.h"
#include "core/model/open_clip_preprocess.h"

namespace modelpatch::model {
namespace {

using data::ShowJson;
using nlohmann::json;
using nlohmann::ordered_json;
using Names = std::set<std::string, std::less<>>;

constexpr std::string_view kFile = "open_clip_config.json";
// ln(1 / 0.07), open_clip model.py.
constexpr double kDefaultLogitScale = 2.6592600369327779;

// Members that matter in training alone, or only together with another member that is refused.
const Names& Harmless() {
  static const Names names = {"patch_dropout",    "attn_pooler_queries",  "attn_pooler_heads",   "timm_pool",
                              "timm_proj",        "timm_proj_bias",       "timm_drop",           "timm_drop_path",
                              "hf_proj_type",     "hf_pooler_type",       "hf_model_pretrained", "pad_id",
                              "tokenizer_kwargs", "timm_model_pretrained"};
  return names;
}

// Whether a member says no more than leaving it out would.
bool IsOff(const std::string& key, const json& value) {
  if (value.is_null() || value == false || value == 0) return true;
  if (value.is_string() && (value.get_ref<const std::string&>().empty() || value == "none")) return true;
  if (key == "pos_embed_type") return value == "learnable";
  if (key == "proj_type") return value == "linear";
  return value.is_structured() && value.empty();
}

// Refuses members that are neither in `known` nor known to do nothing.
absl::Status CheckMembers(const json* section, std::string_view path, const Names& known) {
  if (section == nullptr || !section->is_object()) return absl::OkStatus();
  for (const auto& [key, value] : section->items()) {
    if (known.contains(key) || Harmless().contains(key) || IsOff(key, value)) continue;
    const std::string field = path.empty() ? key : fmt::format("{}.{}", path, base::Printable(key));
    return base::WithField(
        base::InvalidArgument("MODEL_TYPE_UNSUPPORTED", fmt::format("{}: {} is {}; models with it are not supported",
                                                                    kFile, field, ShowJson(value))),
        field);
  }
  return absl::OkStatus();
}

// `mlp_ratio` of `width`, rounded down as Python's int().
int64_t MlpWidth(ConfigSection& section, int64_t width) {
  const double product = section.Number("mlp_ratio", 4.0) * static_cast<double>(width);
  if (product >= 1 && product < 1e9) return static_cast<int64_t>(product);  // false for NaN
  section.Fail("mlp_ratio", fmt::format("times the width is {}", product));
  return 1;
}

Activation ReadActivation(ConfigSection& section, bool quick_gelu) {
  if (quick_gelu) return Activation::kQuickGelu;
  ConfigSection arguments = section.Child("act_kwargs");
  const std::string approximate = arguments.Text("approximate", "none");
  if (!arguments.status().ok() || (approximate != "none" && approximate != "tanh")) {
    section.Fail("act_kwargs", "asks for a GELU that is neither `none` nor `tanh`");
  }
  return approximate == "tanh" ? Activation::kGeluTanh : Activation::kGelu;
}

double ReadEpsilon(ConfigSection& section) {
  ConfigSection arguments = section.Child("norm_kwargs");
  const double epsilon = arguments.Number("eps", 1e-5);
  if (!arguments.status().ok()) section.Fail("norm_kwargs", "has an `eps` that is not a number");
  return epsilon;
}

int64_t ReadHeadWidth(ConfigSection& section) {
  const int64_t width = section.Integer("head_width", 64);
  if (width > 0) return width;
  section.Fail("head_width", fmt::format("is {}; it must be above 0", width));
  return 64;
}

void ReadPooling(ConfigSection& section, VisionConfig& vision) {
  const bool average = section.Boolean("global_average_pool", false);
  const std::string type = section.Text("pool_type", average ? "avg" : "tok");
  if (type != "tok" && type != "avg") {
    section.Fail("pool_type", fmt::format("is '{}'; tok and avg are supported", base::Printable(type)));
  }
  vision.pooling = type == "avg" ? ImagePooling::kMeanOfPatches : ImagePooling::kClassToken;
  vision.norm_after_pooling = section.Boolean("final_ln_after_pool", false);
}

void ReadResNetStages(ConfigSection& section, const json& layers, VisionConfig& vision) {
  for (const json& stage : layers) {
    if (!stage.is_number_integer() || stage.get<double>() < 1 || stage.get<double>() > 1e6) {
      section.Fail("layers", fmt::format("has the entry {}; a ResNet has four numbers of blocks", ShowJson(stage)));
      return;
    }
    vision.stages.push_back(stage.get<int64_t>());
  }
  if (vision.stages.empty()) section.Fail("layers", "is empty");
}

// A number, or [height, width].
data::ImageSize ReadImageSize(ConfigSection& section) {
  constexpr int64_t kDefaultSide = 224;
  const json* value = section.Find("image_size");
  if (value == nullptr || !value->is_array()) return section.Integer("image_size", kDefaultSide);
  const auto is_side = [](const json& side) {
    return side.is_number_integer() && side.get<double>() >= 1 && side.get<double>() <= 1e6;
  };
  if (value->size() == 2 && is_side((*value)[0]) && is_side((*value)[1])) {
    return {(*value)[0].get<int64_t>(), (*value)[1].get<int64_t>()};
  }
  section.Fail("image_size", "is an array; it must be a number or [height, width]");
  return kDefaultSide;
}

absl::StatusOr<VisionConfig> ReadVision(ConfigSection& model, bool quick_gelu) {
  static const Names known = {"image_size",         "width",     "layers",        "patch_size",
                              "head_width",         "mlp_ratio", "ls_init_value", "act_kwargs",
                              "norm_kwargs",        "pool_type", "no_ln_pre",     "global_average_pool",
                              "final_ln_after_pool"};
  MP_RETURN_IF_ERROR(CheckMembers(model.Find("vision_cfg"), "model_cfg.vision_cfg", known));
  ConfigSection section = model.Child("vision_cfg");
  VisionConfig vision;
  vision.image_size = ReadImageSize(section);
  const json* layers = section.Find("layers");
  const bool is_resnet = layers != nullptr && layers->is_array();
  vision.width = section.Integer("width", is_resnet ? 64 : 768);
  const int64_t head_width = ReadHeadWidth(section);
  if (is_resnet) {
    ReadResNetStages(section, *layers, vision);
    if (vision.width > 0 && vision.width < (1 << 20)) vision.heads = vision.width * kResNetExpansion / head_width;
  } else {
    vision.layers = section.Integer("layers", 12);
    vision.patch_size = section.Integer("patch_size", 16);
    vision.heads = vision.width / head_width;
    vision.mlp_width = MlpWidth(section, vision.width);
    vision.activation = ReadActivation(section, quick_gelu);
    vision.layer_norm_epsilon = ReadEpsilon(section);
    vision.pre_norm = !section.Boolean("no_ln_pre", false);
    vision.layer_scale = section.Find("ls_init_value") != nullptr;
    ReadPooling(section, vision);
  }
  MP_RETURN_IF_ERROR(section.status());
  return vision;
}

absl::StatusOr<TextConfig> ReadText(ConfigSection& model, bool quick_gelu) {
  static const Names known = {"context_length", "vocab_size", "width",       "heads",     "layers", "mlp_ratio",
                              "ls_init_value",  "act_kwargs", "norm_kwargs", "pool_type", "eos_id"};
  MP_RETURN_IF_ERROR(CheckMembers(model.Find("text_cfg"), "model_cfg.text_cfg", known));
  ConfigSection section = model.Child("text_cfg");
  TextConfig text;
  text.vocabulary_size = section.Integer("vocab_size", 49408);
  text.context_length = section.Integer("context_length", 77);
  text.width = section.Integer("width", 512);
  text.layers = section.Integer("layers", 12);
  text.heads = section.Integer("heads", 8);
  text.mlp_width = MlpWidth(section, text.width);
  text.activation = ReadActivation(section, quick_gelu);
  text.layer_norm_epsilon = ReadEpsilon(section);
  text.layer_scale = section.Find("ls_init_value") != nullptr;
  const std::string pooling = section.Text("pool_type", "argmax");
  text.end_of_text_id = text.vocabulary_size - 1;
  if (pooling == "last") {
    text.pooling = TextPooling::kLast;
  } else if (pooling == "eos") {
    text.end_of_text_id = section.Integer("eos_id", 2);
    // The last id of all is also the largest of every text.
    const bool is_last = text.end_of_text_id == text.vocabulary_size - 1;
    text.pooling = is_last ? TextPooling::kArgmax : TextPooling::kFirstEndOfText;
  } else if (pooling != "argmax") {
    section.Fail("pool_type", fmt::format("is '{}'; argmax, eos and last are supported", base::Printable(pooling)));
  }
  MP_RETURN_IF_ERROR(section.status());
  return text;
}

// The ratio whose product with `width`, rounded down, is `mlp_width`.
double MlpRatio(int64_t mlp_width, int64_t width) {
  const double ratio = static_cast<double>(mlp_width) / static_cast<double>(width);
  const bool is_exact = static_cast<int64_t>(ratio * static_cast<double>(width)) == mlp_width;
  return is_exact ? ratio : (static_cast<double>(mlp_width) + 0.5) / static_cast<double>(width);
}

// What both towers may say of their blocks.
template <typename Tower>
void WriteBlocks(const Tower& tower, ordered_json& section) {
  constexpr double kDefaultEpsilon = 1e-5;
  section["mlp_ratio"] = MlpRatio(tower.mlp_width, tower.width);
  if (tower.activation == Activation::kGeluTanh) section["act_kwargs"] = {{"approximate", "tanh"}};
  if (tower.layer_norm_epsilon != kDefaultEpsilon) section["norm_kwargs"] = {{"eps", tower.layer_norm_epsilon}};
  // Only that it is there matters to a model that has its weights.
  if (tower.layer_scale) section["ls_init_value"] = 1.0;
}

ordered_json WriteVision(const VisionConfig& vision) {
  ordered_json section = {{"image_size", vision.image_size.height}, {"width", vision.width}};
  if (!vision.image_size.is_square()) section["image_size"] = {vision.image_size.height, vision.image_size.width};
  if (vision.is_resnet()) {
    section["layers"] = vision.stages;
    section["patch_size"] = nullptr;
    section["head_width"] = vision.width * kResNetExpansion / vision.heads;
    return section;
  }
  section["layers"] = vision.layers;
  section["patch_size"] = vision.patch_size;
  section["head_width"] = vision.width / vision.heads;
  WriteBlocks(vision, section);
  if (!vision.pre_norm) section["no_ln_pre"] = true;
  if (vision.pooling == ImagePooling::kMeanOfPatches) section["pool_type"] = "avg";
  if (vision.norm_after_pooling) section["final_ln_after_pool"] = true;
  return section;
}

ordered_json WriteText(const TextConfig& text) {
  ordered_json section = {{"context_length", text.context_length},
                          {"vocab_size", text.vocabulary_size},
                          {"width", text.width},
                          {"heads", text.heads},
                          {"layers", text.layers}};
  WriteBlocks(text, section);
  if (text.pooling == TextPooling::kLast) section["pool_type"] = "last";
  if (text.pooling == TextPooling::kFirstEndOfText && text.end_of_text_id != text.vocabulary_size - 1) {
    section["pool_type"] = "eos";
    section["eos_id"] = text.end_of_text_id;
  }
  return section;
}

}  // namespace

absl::StatusOr<OpenClipConfig> ParseOpenClipConfig(std::string_view config_json) {
  static const Names known = {"embed_dim", "quick_gelu", "vision_cfg", "text_cfg", "custom_text", "init_logit_scale"};
  MP_ASSIGN_OR_RETURN(const json document, ParseConfigDocument(config_json, kFile));
  ConfigSection root(kFile, "", &document);
  MP_RETURN_IF_ERROR(CheckMembers(root.Find("model_cfg"), "model_cfg", known));
  ConfigSection model = root.Child("model_cfg");
  if (root.status().ok() && !model.exists()) root.Fail("model_cfg", "is missing");
  MP_RETURN_IF_ERROR(root.status());
  OpenClipConfig config;
  const bool quick_gelu = model.Boolean("quick_gelu", false);
  MP_ASSIGN_OR_RETURN(config.model.vision, ReadVision(model, quick_gelu));
  MP_ASSIGN_OR_RETURN(config.model.text, ReadText(model, quick_gelu));
  config.model.embedding_width = model.Integer("embed_dim", 512);
  config.model.initial_logit_scale = model.Number("init_logit_scale", kDefaultLogitScale);
  MP_RETURN_IF_ERROR(model.status());
  if (const absl::Status status = CheckModelConfig(config.model); !status.ok()) {
    return base::WithContext(status, kFile);
  }
  static const Names preprocess = {"size", "mean", "std", "interpolation", "resize_mode", "mode", "fill_color"};
  MP_RETURN_IF_ERROR(CheckMembers(root.Find("preprocess_cfg"), "preprocess_cfg", preprocess));
  ConfigSection section = root.Child("preprocess_cfg");
  MP_RETURN_IF_ERROR(root.status());
  MP_ASSIGN_OR_RETURN(config.preprocess, ReadOpenClipPreprocess(section, config.model.vision.image_size));
  return config;
}

absl::StatusOr<std::string> WriteOpenClipConfig(const OpenClipConfig& config) {
  const ModelConfig& model = config.model;
  if (model.is_siglip()) {
    return base::FailedPrecondition("LAYOUT_UNSUPPORTED",
                                    "a SigLIP is not written for OpenCLIP; use Hugging Face's layout");
  }
  const bool quick_gelu = model.text.activation == Activation::kQuickGelu;
  if (!model.vision.is_resnet() && quick_gelu != (model.vision.activation == Activation::kQuickGelu)) {
    return base::FailedPrecondition("LAYOUT_UNSUPPORTED",
                                    "one tower has QuickGELU and the other has not; OpenCLIP knows no such model");
  }
  if (config.preprocess.resize_size.has_value()) {
    return base::FailedPrecondition(
        "LAYOUT_UNSUPPORTED",
        fmt::format("images are resized to {} and then cropped to {}; OpenCLIP does both to "
                    "one size",
                    data::Describe(*config.preprocess.resize_size), data::Describe(config.preprocess.image_size)));
  }
  const ordered_json document = {{"model_cfg",
                                  {{"embed_dim", model.embedding_width},
                                   {"quick_gelu", quick_gelu},
                                   {"init_logit_scale", model.initial_logit_scale},
                                   {"vision_cfg", WriteVision(model.vision)},
                                   {"text_cfg", WriteText(model.text)}}},
                                 {"preprocess_cfg", WriteOpenClipPreprocess(config.preprocess)}};
  return document.dump(2) + "\n";
}

}  // namespace modelpatch::model
