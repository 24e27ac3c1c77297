#include "core/train/fine_tuner.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <cmath>
#include <utility>

#include "core/model/encoder_weights.h"
#include "core/tensor/guard.h"
#include "core/train/penalty.h"
#include "core/train/schedule.h"
#include "core/train/training_loss.h"

namespace modelpatch::train {

FineTuner::FineTuner(FineTunerParts parts, const FineTuneOptions& options)
    : parts_(std::move(parts)),
      options_(options),
      start_(parts_.start.has_value() ? *parts_.start : parts_.model->image_weights),
      state_(start_) {
  if (options_.learned_head) learned_head_ = std::make_unique<LearnedHead>(parts_.head, parts_.model->logit_scale);
  if (options_.ema_decay > 0) average_ = start_.Clone();
}

absl::StatusOr<StepReport> FineTuner::Step(const at::Tensor& pixels, std::span<const int32_t> labels,
                                           std::span<const std::vector<int32_t>> candidates,
                                           const LabelledImages* contrastive) {
  return tensor::Guarded([&]() -> absl::StatusOr<StepReport> {
    const at::AutoGradMode with_gradients(true);
    const double learning_rate =
        LearningRateAt(state_.step, options_.learning_rate, options_.warmup_steps, options_.steps, options_.schedule);
    state_.weights.ZeroGradient();
    if (learned_head_ != nullptr) learned_head_->state().weights.ZeroGradient();
    const double data_loss = Differentiate(pixels, labels, candidates, contrastive);
    const double loss = data_loss + AddPenalties();
    double norm = GradientNorm(state_.weights);
    if (learned_head_ != nullptr) norm = std::hypot(norm, GradientNorm(learned_head_->state().weights));
    if (!std::isfinite(loss) || !std::isfinite(norm)) {
      return base::FailedPrecondition(
          "TRAINING_DIVERGED", fmt::format("at step {} the loss is {} and the gradient's norm {}; lower the learning "
                                           "rate",
                                           state_.step, loss, norm));
    }
    const AdamWOptions adamw{options_.beta1, options_.beta2, options_.epsilon, options_.weight_decay};
    const double factor = ClipFactor(norm, options_.gradient_clip);
    AdamWStep(adamw, learning_rate, factor, state_);
    if (learned_head_ != nullptr) AdamWStep(adamw, learning_rate, factor, learned_head_->state());
    MoveAverage();
    return StepReport{state_.step - 1, loss, learning_rate, norm};
  });
}

at::Tensor FineTuner::Features(const at::Tensor& pixels) const {
  const std::vector<at::Tensor> weights =
      model::RoundForCompute(state_.weights.weights().layout(), state_.weights.parameters(), options_.precision);
  const at::Tensor input = pixels.to(state_.weights.weights().flat().device());
  return model::NormalizeFeatures(parts_.model->image_encoder->TrainingForward(weights, input));
}

at::Tensor FineTuner::PromptLoss(const at::Tensor& features, std::span<const int32_t> labels) const {
  const ChosenPrompts chosen = parts_.prompts->Choose(labels, options_.seed, state_.step);
  const at::Tensor rows = torch::tensor(chosen.rows, at::kLong).to(features.device());
  const at::Tensor texts = parts_.prompts->embeddings().index_select(0, rows);
  return ContrastiveLoss(at::mm(features, texts.t()) * parts_.model->logit_scale, chosen.prompt_of);
}

double FineTuner::Differentiate(const at::Tensor& pixels, std::span<const int32_t> labels,
                                std::span<const std::vector<int32_t>> candidates, const LabelledImages* contrastive) {
  const at::Tensor features = Features(pixels);
  // For SigLIP too: a bias of all logits would cancel.
  const at::Tensor logits = learned_head_ != nullptr
                                ? learned_head_->Logits(features)
                                : at::mm(features, parts_.head.embeddings->t()) * parts_.model->logit_scale;
  at::Tensor loss = ClassificationLoss(logits, labels, candidates, options_.label_smoothing);
  const double share = options_.contrastive_weight;
  if (share > 0) {
    loss = (1 - share) * loss;
    if (contrastive == nullptr) loss = loss + share * PromptLoss(features, labels);
  }
  loss.backward();
  double value = loss.item<double>();
  if (share > 0 && contrastive != nullptr) {
    // After the first backward pass, so that one batch's activations are held at a time.
    const at::Tensor other = share * PromptLoss(Features(contrastive->pixels), contrastive->labels);
    other.backward();
    value += other.item<double>();
  }
  return value;
}

double FineTuner::AddPenalties() {
  const at::Tensor theta = state_.weights.trained_range();
  const at::Tensor start = start_.flat().narrow(0, 0, theta.numel());
  double penalty = 0;
  if (options_.l2_penalty > 0) {
    penalty += AddQuadraticPenalty(options_.l2_penalty, theta, start, nullptr, state_.weights.gradient());
  }
  if (options_.elastic_weight > 0) {
    const at::Tensor importance = parts_.fisher->flat().narrow(0, 0, theta.numel());
    penalty += AddQuadraticPenalty(options_.elastic_weight, theta, start, &importance, state_.weights.gradient());
  }
  return penalty;
}

void FineTuner::MoveAverage() {
  if (!average_.has_value()) return;
  const at::NoGradGuard no_grad;
  average_->flat().lerp_(weights().flat(), 1 - options_.ema_decay);
}

}  // namespace modelpatch::train
