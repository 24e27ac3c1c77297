// FineTuner: the paper's fine-tuning of an image encoder under a frozen zero-shot head, and the alternatives that it is
// compared with.
//
// One thread. Owns the training state; the model outlives it. Source: mlfoundations/patching src/finetune.py.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/model/clip_model.h"
#include "core/train/fine_tune_options.h"
#include "core/train/learned_head.h"
#include "core/train/optimizer.h"
#include "core/train/prompt_bank.h"

namespace modelpatch::train {

struct FineTunerParts {
  std::shared_ptr<const model::ClipModel> model;
  // Frozen; a learned head starts at it.
  model::ZeroShotHead head;
  // Where training starts, and what the penalties pull towards; absent: θ_zs.
  std::optional<tensor::WeightSet> start = {};
  // F of the elastic penalty, laid out as θ. There if options.elastic_weight is positive.
  std::optional<tensor::WeightSet> fisher = {};
  // Of the contrastive loss. There if options.contrastive_weight is positive.
  std::optional<PromptBank> prompts = {};
};

// Pixels fp32 [B, 3, h, w] and their labels.
struct LabelledImages {
  const at::Tensor& pixels;
  std::span<const int32_t> labels;
};

struct StepReport {
  int64_t step;  // from 0
  // With all penalties.
  double loss;
  double learning_rate;
  // Before clipping.
  double gradient_norm;
};

class FineTuner {
 public:
  // Throws what libtorch throws.
  FineTuner(FineTunerParts parts, const FineTuneOptions& options);

  // One step on pixels fp32 [B, 3, h, w] and their labels: learning rate, forward, cross-entropy (mean) over each
  // example's `candidates` ([B], see ClassificationLoss), penalties, backward, clip, AdamW, moving average. The
  // contrastive loss sees the images `contrastive`, or if it is null these ones, as classes of parts.prompts.
  // FAILED_PRECONDITION (TRAINING_DIVERGED) if the loss is not finite.
  absl::StatusOr<StepReport> Step(const at::Tensor& pixels, std::span<const int32_t> labels,
                                  std::span<const std::vector<int32_t>> candidates = {},
                                  const LabelledImages* contrastive = nullptr);

  const TrainingState& state() const { return state_; }
  const tensor::WeightSet& weights() const { return state_.weights.weights(); }
  // The moving average, if options.ema_decay is positive. It starts at the start, without a correction for that.
  const std::optional<tensor::WeightSet>& average() const { return average_; }
  // Null unless options.learned_head.
  const LearnedHead* learned_head() const { return learned_head_.get(); }

 private:
  // Normalised, of a training forward.
  at::Tensor Features(const at::Tensor& pixels) const;
  at::Tensor PromptLoss(const at::Tensor& features, std::span<const int32_t> labels) const;
  // Adds the losses' gradient and returns the loss.
  double Differentiate(const at::Tensor& pixels, std::span<const int32_t> labels,
                       std::span<const std::vector<int32_t>> candidates, const LabelledImages* contrastive);
  double AddPenalties();
  void MoveAverage();

  const FineTunerParts parts_;
  const FineTuneOptions options_;
  const tensor::WeightSet start_;
  TrainingState state_;
  std::unique_ptr<LearnedHead> learned_head_;
  std::optional<tensor::WeightSet> average_;
};

}  // namespace modelpatch::train
