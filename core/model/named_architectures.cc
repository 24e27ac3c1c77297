#include "core/model/named_architectures.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "core/base/text.h"

namespace modelpatch::model {
namespace {

constexpr std::string_view kQuickGeluSuffix = "-quickgelu";
constexpr int64_t kVocabularySize = 49408;
constexpr int64_t kContextLength = 77;
constexpr int64_t kMlpRatio = 4;
constexpr int64_t kResNetHeadWidth = 64;
constexpr double kInitialLogitScale = 2.6592600369327779;  // ln(1 / 0.07)

// heads = width / 64 in every text tower of them.
struct TextSize {
  int64_t width;
  int64_t layers;
};

struct TransformerEntry {
  std::string_view name;
  int64_t embedding_width;
  int64_t image_size;
  int64_t patch_size;
  int64_t width;
  int64_t layers;
  int64_t head_width;
  int64_t mlp_width;
  TextSize text;
  bool layer_scale = false;
};

struct ResNetEntry {
  std::string_view name;
  int64_t embedding_width;
  int64_t image_size;
  int64_t width;
  std::array<int64_t, kResNetStages> stages;
  TextSize text;
};

constexpr TransformerEntry kTransformers[] = {
    {"ViT-S-32-alt", 256, 224, 32, 384, 12, 64, 1536, {256, 10}},
    {"ViT-S-32", 384, 224, 32, 384, 12, 64, 1536, {384, 12}},
    {"ViT-S-16-alt", 256, 224, 16, 384, 12, 64, 1536, {256, 10}},
    {"ViT-S-16", 384, 224, 16, 384, 12, 64, 1536, {384, 12}},
    {"ViT-M-32-alt", 384, 224, 32, 512, 12, 64, 2048, {384, 12}},
    {"ViT-M-32", 512, 224, 32, 512, 12, 64, 2048, {512, 12}},
    {"ViT-M-16-alt", 384, 224, 16, 512, 12, 64, 2048, {384, 12}, /*layer_scale=*/true},
    {"ViT-M-16", 512, 224, 16, 512, 12, 64, 2048, {512, 12}},
    {"ViT-B-32", 512, 224, 32, 768, 12, 64, 3072, {512, 12}},
    {"ViT-B-32-256", 512, 256, 32, 768, 12, 64, 3072, {512, 12}},
    {"ViT-B-32-plus-256", 640, 256, 32, 896, 12, 64, 3584, {640, 12}},
    {"ViT-B-16", 512, 224, 16, 768, 12, 64, 3072, {512, 12}},
    {"ViT-B-16-plus", 640, 224, 16, 896, 12, 64, 3584, {640, 12}},
    {"ViT-B-16-plus-240", 640, 240, 16, 896, 12, 64, 3584, {640, 12}},
    {"ViT-L-16", 768, 224, 16, 1024, 24, 64, 4096, {768, 12}},
    {"ViT-L-16-320", 768, 320, 16, 1024, 24, 64, 4096, {768, 12}},
    {"ViT-L-16-384", 768, 384, 16, 1024, 24, 64, 4096, {768, 12}},
    {"ViT-L-14", 768, 224, 14, 1024, 24, 64, 4096, {768, 12}},
    {"ViT-L-14-280", 768, 280, 14, 1024, 24, 64, 4096, {768, 12}},
    {"ViT-L-14-336", 768, 336, 14, 1024, 24, 64, 4096, {768, 12}},
    {"ViT-H-16", 1024, 224, 16, 1280, 32, 80, 5120, {1024, 24}},
    {"ViT-H-14", 1024, 224, 14, 1280, 32, 80, 5120, {1024, 24}},
    {"ViT-H-14-378", 1024, 378, 14, 1280, 32, 80, 5120, {1024, 24}},
    {"ViT-g-14", 1024, 224, 14, 1408, 40, 88, 6144, {1024, 24}},
    {"ViT-G-14", 1280, 224, 14, 1664, 48, 104, 8192, {1280, 32}},
    {"ViT-bigG-14", 1280, 224, 14, 1664, 48, 104, 8192, {1280, 32}},
    {"ViT-e-14", 1280, 224, 14, 1792, 56, 112, 15360, {1280, 36}},
};

constexpr ResNetEntry kResNets[] = {
    {"RN50", 1024, 224, 64, {3, 4, 6, 3}, {512, 12}},         {"RN101", 512, 224, 64, {3, 4, 23, 3}, {512, 12}},
    {"RN50x4", 640, 288, 80, {4, 6, 10, 6}, {640, 12}},       {"RN50x16", 768, 384, 96, {6, 8, 18, 8}, {768, 12}},
    {"RN50x64", 1024, 448, 128, {3, 15, 36, 10}, {1024, 12}},
};

// OpenAI's names and OpenCLIP's for the same shapes; all have QuickGELU.
constexpr std::pair<std::string_view, std::string_view> kOpenAiNames[] = {
    {"ViT-B/32", "ViT-B-32"},
    {"ViT-B/16", "ViT-B-16"},
    {"ViT-L/14", "ViT-L-14"},
    {"ViT-L/14@336px", "ViT-L-14-336"},
};

VisionConfig VisionOf(const TransformerEntry& entry, Activation activation) {
  VisionConfig vision;
  vision.image_size = entry.image_size;
  vision.patch_size = entry.patch_size;
  vision.width = entry.width;
  vision.layers = entry.layers;
  vision.heads = entry.width / entry.head_width;
  vision.mlp_width = entry.mlp_width;
  vision.activation = activation;
  vision.layer_scale = entry.layer_scale;
  return vision;
}

VisionConfig VisionOf(const ResNetEntry& entry, Activation) {
  VisionConfig vision;
  vision.image_size = entry.image_size;
  vision.width = entry.width;
  vision.heads = entry.width * kResNetExpansion / kResNetHeadWidth;
  vision.stages.assign(entry.stages.begin(), entry.stages.end());
  return vision;
}

template <typename Entry>
ModelConfig ConfigOf(const Entry& entry, Activation activation) {
  ModelConfig config;
  config.vision = VisionOf(entry, activation);
  config.embedding_width = entry.embedding_width;
  config.initial_logit_scale = kInitialLogitScale;
  config.text.vocabulary_size = kVocabularySize;
  config.text.context_length = kContextLength;
  config.text.width = entry.text.width;
  config.text.layers = entry.text.layers;
  config.text.heads = entry.text.width / 64;
  config.text.mlp_width = entry.text.width * kMlpRatio;
  config.text.activation = activation;
  config.text.end_of_text_id = kVocabularySize - 1;
  return config;
}

}  // namespace

absl::StatusOr<ModelConfig> NamedArchitecture(std::string_view name) {
  std::string_view shape = name;
  Activation activation = Activation::kGelu;
  for (const auto& [open_ai, open_clip] : kOpenAiNames) {
    if (name != open_ai) continue;
    shape = open_clip;
    activation = Activation::kQuickGelu;
  }
  if (shape.ends_with(kQuickGeluSuffix)) {
    shape.remove_suffix(kQuickGeluSuffix.size());
    activation = Activation::kQuickGelu;
  }
  for (const TransformerEntry& entry : kTransformers) {
    if (entry.name == shape) return ConfigOf(entry, activation);
  }
  for (const ResNetEntry& entry : kResNets) {
    if (entry.name == shape) return ConfigOf(entry, activation);
  }
  return base::InvalidArgument(
      "UNKNOWN_ARCHITECTURE",
      fmt::format("no architecture is called '{}'; known are {}, each also with `{}` behind, and ViT-B/32 and its kin",
                  base::Printable(name), fmt::join(ArchitectureNames(), ", "), kQuickGeluSuffix));
}

std::vector<std::string> ArchitectureNames() {
  std::vector<std::string> names;
  for (const ResNetEntry& entry : kResNets) names.emplace_back(entry.name);
  for (const TransformerEntry& entry : kTransformers) names.emplace_back(entry.name);
  return names;
}

}  // namespace modelpatch::model
