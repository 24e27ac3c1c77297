#include "core/train/fine_tuner.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <cmath>
#include <utility>

#include "core/model/encoder_weights.h"
#include "core/tensor/guard.h"
#include "core/train/schedule.h"

namespace modelpatch::train {

FineTuner::FineTuner(std::shared_ptr<const model::ClipModel> model, model::ZeroShotHead head,
                     const FineTuneOptions& options)
    : model_(std::move(model)), head_(std::move(head)), options_(options), state_(model_->image_weights) {}

absl::StatusOr<StepReport> FineTuner::Step(const at::Tensor& pixels, const std::vector<int32_t>& labels) {
  return tensor::Guarded([&]() -> absl::StatusOr<StepReport> {
    const at::AutoGradMode with_gradients(true);
    const double learning_rate =
        LearningRateAt(state_.step, options_.learning_rate, options_.warmup_steps, options_.steps);
    const at::Device device = state_.weights.weights().flat().device();
    const at::Tensor targets = torch::tensor(labels, at::kLong).to(device);
    state_.weights.ZeroGradient();
    const std::vector<at::Tensor> weights =
        model::RoundForCompute(state_.weights.weights().layout(), state_.weights.parameters(), options_.precision);
    const at::Tensor features = model_->image_encoder->TrainingForward(weights, pixels.to(device));
    const at::Tensor cosines = at::mm(model::NormalizeFeatures(features), head_.embeddings->t());
    // For SigLIP too: a bias of all logits would cancel.
    const at::Tensor loss = at::cross_entropy_loss(cosines * model_->logit_scale, targets);
    loss.backward();
    const double loss_value = loss.item<double>();
    const double norm = GradientNorm(state_.weights);
    if (!std::isfinite(loss_value) || !std::isfinite(norm)) {
      return base::FailedPrecondition(
          "TRAINING_DIVERGED",
          fmt::format("at step {} the loss is {} and the gradient's norm {}; lower the learning rate", state_.step,
                      loss_value, norm));
    }
    const AdamWOptions adamw{options_.beta1, options_.beta2, options_.epsilon, options_.weight_decay};
    AdamWStep(adamw, learning_rate, ClipFactor(norm, options_.gradient_clip), state_);
    return StepReport{state_.step - 1, loss_value, learning_rate, norm};
  });
}

}  // namespace modelpatch::train
