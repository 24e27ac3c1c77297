// FineTuner: the paper's fine-tuning of an image encoder under a frozen zero-shot head.
//
// One thread. Owns the training state; the model outlives it. Source: mlfoundations/patching src/finetune.py.
#pragma once

#include <memory>
#include <vector>

#include "core/model/clip_model.h"
#include "core/train/optimizer.h"
#include "core/train/step_spec.h"

namespace modelpatch::train {

struct StepReport {
  int64_t step;  // from 0
  double loss;
  double learning_rate;
  // Before clipping.
  double gradient_norm;
};

class FineTuner {
 public:
  // Starts at the model's θ_zs. `head` is the frozen zero-shot head. Throws what libtorch throws.
  FineTuner(std::shared_ptr<const model::ClipModel> model, model::ZeroShotHead head, const FineTuneOptions& options);

  // One step on pixels fp32 [B, 3, h, w] and their labels: learning rate, forward, cross-entropy (mean), backward,
  // clip, AdamW. INTERNAL (TRAINING_DIVERGED) if the loss is not finite.
  absl::StatusOr<StepReport> Step(const at::Tensor& pixels, const std::vector<int32_t>& labels);

  const TrainingState& state() const { return state_; }
  const tensor::WeightSet& weights() const { return state_.weights.weights(); }

 private:
  const std::shared_ptr<const model::ClipModel> model_;
  const model::ZeroShotHead head_;
  const FineTuneOptions options_;
  TrainingState state_;
};

}  // namespace modelpatch::train
