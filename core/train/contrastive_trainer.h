// ContrastiveTrainer: trains both towers of a CLIP on images and captions.
//
// One thread. The loss is CLIP's symmetric cross-entropy, where all images of one concept in a batch share one caption
// and count as its positives (ContrastiveLoss).
#pragma once

#include <memory>
#include <vector>

#include "core/model/image_encoder.h"
#include "core/model/text_encoder.h"
#include "core/train/optimizer.h"

namespace modelpatch::train {

struct ContrastiveOptions {
  double learning_rate = 1e-3;
  int64_t warmup_steps = 100;
  int64_t total_steps = 1000;
  double weight_decay = 0.1;
  double gradient_clip = 1.0;
};

class ContrastiveTrainer {
 public:
  // Starts at copies of the weights. Throws what libtorch throws.
  ContrastiveTrainer(std::shared_ptr<const model::ImageEncoder> image_encoder,
                     std::shared_ptr<const model::TextEncoder> text_encoder, const tensor::WeightSet& image_weights,
                     const tensor::WeightSet& text_weights, const ContrastiveOptions& options);

  // One step on pixels fp32 [B, 3, h, w]; image i belongs to caption `caption_of[i]` of `captions` (token ids). Returns
  // the loss. INTERNAL (TRAINING_DIVERGED) if it is not finite.
  absl::StatusOr<double> Step(const at::Tensor& pixels, const std::vector<int64_t>& caption_of,
                              const std::vector<std::vector<int32_t>>& captions);

  const tensor::WeightSet& image_weights() const { return image_.weights.weights(); }
  const tensor::WeightSet& text_weights() const { return text_.weights.weights(); }

 private:
  const std::shared_ptr<const model::ImageEncoder> image_encoder_;
  const std::shared_ptr<const model::TextEncoder> text_encoder_;
  const ContrastiveOptions options_;
  TrainingState image_;
  TrainingState text_;
};

}  // namespace modelpatch::train
