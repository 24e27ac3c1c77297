#include "core/model/shape_config.h"

#include <fmt/format.h>

#include <cmath>
#include <string>

namespace modelpatch::model {
namespace {

constexpr int64_t kHeadWidth = 64;
constexpr int64_t kMlpRatio = 4;
constexpr double kInitialLogitScale = 2.6592600369327779;  // ln(1 / 0.07)

// Reads dimensions and keeps the first error.
class ShapeReader {
 public:
  explicit ShapeReader(const TensorTable& tensors) : tensors_(tensors) {}

  // The size of `dimension` of the tensor `name`, which has `rank` of them; 1 if it has not.
  int64_t Size(const std::string& name, size_t rank, size_t dimension) {
    const StoredTensor* stored = tensors_.Find(name);
    if (stored != nullptr && stored->info.shape.size() == rank) return stored->info.shape[dimension];
    if (status_.ok()) {
      status_ = base::InvalidArgument(
          "MODEL_TENSORS_MISMATCH",
          stored == nullptr ? fmt::format("'{}' is missing: this is no state dict of CLIP", name)
                            : fmt::format("'{}' has {} dimensions, not {}", name, stored->info.shape.size(), rank));
    }
    return 1;
  }

  // How many of `prefix`0…, `prefix`1…, without a gap, have a tensor `suffix`.
  int64_t Count(const std::string& prefix, const std::string& suffix) const {
    int64_t count = 0;
    while (tensors_.Find(prefix + std::to_string(count) + suffix) != nullptr) ++count;
    return count;
  }

  const absl::Status& status() const { return status_; }

 private:
  const TensorTable& tensors_;
  absl::Status status_;
};

// The side of the square grid of `tokens` positions, one of which is not of the grid.
int64_t GridSide(int64_t tokens) { return std::llround(std::sqrt(static_cast<double>(tokens - 1))); }

VisionConfig TransformerOf(ShapeReader& shapes) {
  VisionConfig vision;
  vision.width = shapes.Size("visual.conv1.weight", 4, 0);
  vision.patch_size = shapes.Size("visual.conv1.weight", 4, 3);
  vision.image_size = vision.patch_size * GridSide(shapes.Size("visual.positional_embedding", 2, 0));
  vision.layers = shapes.Count("visual.transformer.resblocks.", ".attn.in_proj_weight");
  vision.heads = vision.width / kHeadWidth;
  vision.mlp_width = kMlpRatio * vision.width;
  return vision;
}

VisionConfig ResNetOf(ShapeReader& shapes) {
  VisionConfig vision;
  vision.width = shapes.Size("visual.layer1.0.conv1.weight", 4, 0);
  for (int64_t stage = 1; stage <= kResNetStages; ++stage) {
    vision.stages.push_back(shapes.Count(fmt::format("visual.layer{}.", stage), ".conv1.weight"));
  }
  vision.image_size = kResNetReduction * GridSide(shapes.Size("visual.attnpool.positional_embedding", 2, 0));
  vision.heads = vision.width * kResNetExpansion / kHeadWidth;
  return vision;
}

}  // namespace

absl::StatusOr<ModelConfig> ConfigOfShapes(const TensorTable& tensors) {
  if (tensors.Find("vision_model.embeddings.class_embedding") != nullptr) {
    return base::InvalidArgument("MODEL_FILE_MISSING",
                                 "the tensors have Hugging Face's names, but there is no config.json beside them");
  }
  ShapeReader shapes(tensors);
  ModelConfig config;
  const bool is_resnet = tensors.Find("visual.layer1.0.conv1.weight") != nullptr;
  config.vision = is_resnet ? ResNetOf(shapes) : TransformerOf(shapes);
  TextConfig& text = config.text;
  text.vocabulary_size = shapes.Size("token_embedding.weight", 2, 0);
  text.context_length = shapes.Size("positional_embedding", 2, 0);
  text.width = shapes.Size("ln_final.weight", 1, 0);
  text.layers = shapes.Count("transformer.resblocks.", ".attn.in_proj_weight");
  text.heads = text.width / kHeadWidth;
  text.mlp_width = kMlpRatio * text.width;
  text.end_of_text_id = text.vocabulary_size - 1;
  config.embedding_width = shapes.Size("text_projection", 2, 1);
  config.initial_logit_scale = kInitialLogitScale;
  MP_RETURN_IF_ERROR(shapes.status());
  if (const absl::Status status = CheckModelConfig(config); !status.ok()) {
    return base::WithContext(status, "the shapes of the state dict");
  }
  return config;
}

}  // namespace modelpatch::model
