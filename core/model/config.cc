#include "core/model/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace modelpatch::model {
namespace {

// Far above any published CLIP (ViT-bigG has a width of 1664, 48 layers and 2.5e9 parameters).
constexpr int64_t kMaximumImageSize = 8192;
constexpr int64_t kMaximumPatches = 1 << 16;
constexpr int64_t kMaximumWidth = 1 << 14;
constexpr int64_t kMaximumLayers = 512;
constexpr int64_t kMaximumMlpWidth = 1 << 17;
constexpr int64_t kMaximumVocabulary = 1 << 22;
constexpr int64_t kMaximumContext = 1 << 16;
constexpr int64_t kMinimumContext = 2;
constexpr double kMaximumParameters = 2e10;
constexpr double kMaximumEpsilon = 1.0;

absl::Status Invalid(std::string_view field, std::string_view message) {
  return base::WithField(base::InvalidArgument("MODEL_CONFIG_INVALID", fmt::format("{} {}", field, message)), field);
}

absl::Status CheckRange(std::string_view field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Invalid(field, fmt::format("is {}; it must be from {} to {}", value, low, high));
}

absl::Status CheckHeads(std::string_view field, int64_t heads, int64_t width) {
  MP_RETURN_IF_ERROR(CheckRange(field, heads, 1, kMaximumWidth));
  if (width % heads == 0) return absl::OkStatus();
  return Invalid(field, fmt::format("is {}, which does not divide the width {}", heads, width));
}

absl::Status CheckEpsilon(std::string_view field, double value) {
  if (value > 0 && value <= kMaximumEpsilon) return absl::OkStatus();  // false for NaN
  return Invalid(field, fmt::format("is {}; it must be above 0 and at most {}", value, kMaximumEpsilon));
}

// Weights of the attention and the MLP: in a double, since only their order of magnitude matters.
double BlockParameters(int64_t layers, int64_t width, int64_t mlp_width) {
  const auto w = static_cast<double>(width);
  return static_cast<double>(layers) * (4 * w * w + 2 * w * static_cast<double>(mlp_width));
}

absl::Status CheckResNet(const VisionConfig& vision) {
  if (static_cast<int64_t>(vision.stages.size()) != kResNetStages) {
    return Invalid("vision.stages", fmt::format("has {} entries; a ResNet has 4 stages", vision.stages.size()));
  }
  for (size_t stage = 0; stage < vision.stages.size(); ++stage) {
    MP_RETURN_IF_ERROR(CheckRange(fmt::format("vision.stages[{}]", stage), vision.stages[stage], 1, kMaximumLayers));
  }
  const auto is_reducible = [](int64_t side) { return side >= kResNetReduction && side % kResNetReduction == 0; };
  if (!is_reducible(vision.image_size.height) || !is_reducible(vision.image_size.width)) {
    return Invalid("vision.image_size",
                   fmt::format("is {}; a ResNet takes multiples of 32", data::Describe(vision.image_size)));
  }
  MP_RETURN_IF_ERROR(CheckRange("vision.width", vision.width, 2, kMaximumWidth / kResNetExpansion));
  if (vision.width % 2 != 0) return Invalid("vision.width", fmt::format("is {}; it must be even", vision.width));
  return CheckHeads("vision.heads", vision.heads, kResNetExpansion * vision.width);
}

absl::Status CheckVisionTransformer(const VisionConfig& vision) {
  MP_RETURN_IF_ERROR(CheckRange("vision.patch_size", vision.patch_size, 1,
                                std::min(vision.image_size.height, vision.image_size.width)));
  const int64_t patches = vision.grid().pixels();
  if (patches > kMaximumPatches) {
    return Invalid("vision.patch_size", fmt::format("is {}, which makes {} patches of an image; at most {} are allowed",
                                                    vision.patch_size, patches, kMaximumPatches));
  }
  MP_RETURN_IF_ERROR(CheckRange("vision.width", vision.width, 1, kMaximumWidth));
  MP_RETURN_IF_ERROR(CheckRange("vision.layers", vision.layers, 1, kMaximumLayers));
  MP_RETURN_IF_ERROR(CheckHeads("vision.heads", vision.heads, vision.width));
  MP_RETURN_IF_ERROR(CheckRange("vision.mlp_width", vision.mlp_width, 1, kMaximumMlpWidth));
  return CheckEpsilon("vision.layer_norm_epsilon", vision.layer_norm_epsilon);
}

absl::Status CheckVision(const VisionConfig& vision) {
  for (const int64_t side : {vision.image_size.height, vision.image_size.width}) {
    MP_RETURN_IF_ERROR(CheckRange("vision.image_size", side, 1, kMaximumImageSize));
  }
  return vision.is_resnet() ? CheckResNet(vision) : CheckVisionTransformer(vision);
}

double VisionParameters(const VisionConfig& vision) {
  if (!vision.is_resnet()) {
    return BlockParameters(vision.layers, vision.width, vision.mlp_width) +
           3.0 * static_cast<double>(vision.patch_size * vision.patch_size) * static_cast<double>(vision.width);
  }
  // The attention pool, and bottleneck blocks of 17 times the square of their stage's width.
  const auto width = static_cast<double>(vision.width);
  double sum = 4 * std::pow(kResNetExpansion * width, 2);
  for (size_t stage = 0; stage < vision.stages.size(); ++stage) {
    sum += 17 * static_cast<double>(vision.stages[stage]) * std::pow(width * std::pow(2.0, stage), 2);
  }
  return sum;
}

absl::Status CheckText(const TextConfig& text) {
  MP_RETURN_IF_ERROR(CheckRange("text.vocabulary_size", text.vocabulary_size, 1, kMaximumVocabulary));
  MP_RETURN_IF_ERROR(CheckRange("text.context_length", text.context_length, kMinimumContext, kMaximumContext));
  MP_RETURN_IF_ERROR(CheckRange("text.width", text.width, 1, kMaximumWidth));
  MP_RETURN_IF_ERROR(CheckRange("text.layers", text.layers, 1, kMaximumLayers));
  MP_RETURN_IF_ERROR(CheckHeads("text.heads", text.heads, text.width));
  MP_RETURN_IF_ERROR(CheckRange("text.mlp_width", text.mlp_width, 1, kMaximumMlpWidth));
  MP_RETURN_IF_ERROR(CheckRange("text.end_of_text_id", text.end_of_text_id, 0, text.vocabulary_size - 1));
  MP_RETURN_IF_ERROR(CheckRange("text.padding_id", text.padding_id, 0, text.vocabulary_size - 1));
  return CheckEpsilon("text.layer_norm_epsilon", text.layer_norm_epsilon);
}

// SigLIP's image tower has no projection, and goes with SigLIP's text tower.
absl::Status CheckSiglip(const ModelConfig& config) {
  const bool pools_by_attention = !config.vision.is_resnet() && config.vision.pooling == ImagePooling::kAttention;
  if (pools_by_attention != config.is_siglip()) {
    return Invalid("vision.pooling", "is attention in one tower of a SigLIP, and not the other's kind");
  }
  if (!config.is_siglip() || config.embedding_width == config.vision.width) return absl::OkStatus();
  return Invalid("embedding_width", fmt::format("is {}; the image tower gives features of its width, {}",
                                                config.embedding_width, config.vision.width));
}

}  // namespace

std::string_view NameOf(Activation activation) {
  switch (activation) {
    case Activation::kQuickGelu:
      return "quick_gelu";
    case Activation::kGelu:
      return "gelu";
    case Activation::kGeluTanh:
      return "gelu_pytorch_tanh";
  }
  return "";
}

bool IsValidLogitScale(double logarithm) { return std::abs(logarithm) <= kMaximumLogitScale; }  // false for NaN

absl::Status CheckModelConfig(const ModelConfig& config) {
  MP_RETURN_IF_ERROR(CheckVision(config.vision));
  MP_RETURN_IF_ERROR(CheckText(config.text));
  MP_RETURN_IF_ERROR(CheckRange("embedding_width", config.embedding_width, 1, kMaximumWidth));
  MP_RETURN_IF_ERROR(CheckSiglip(config));
  if (!IsValidLogitScale(config.initial_logit_scale)) {
    return Invalid("initial_logit_scale", fmt::format("is {}; it must be from -{} to {}", config.initial_logit_scale,
                                                      kMaximumLogitScale, kMaximumLogitScale));
  }
  const double parameters = VisionParameters(config.vision) +
                            BlockParameters(config.text.layers, config.text.width, config.text.mlp_width) +
                            static_cast<double>(config.text.vocabulary_size) * static_cast<double>(config.text.width);
  if (parameters > kMaximumParameters) {
    return base::InvalidArgument("MODEL_CONFIG_INVALID",
                                 fmt::format("the model would have {:.3g} parameters; at most {:.3g} are allowed",
                                             parameters, kMaximumParameters));
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::model
