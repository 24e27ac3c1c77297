#include "core/train/contrastive_trainer.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <cmath>
#include <utility>

#include "core/model/clip_model.h"
#include "core/tensor/guard.h"
#include "core/train/schedule.h"
#include "core/train/training_loss.h"

namespace modelpatch::train {
namespace {

// CLIP clips its temperature so that logits are never scaled by more than 100 (Radford et al. 2021, section 2.5).
constexpr double kMaximumLogitScale = 4.605170185988092;  // ln 100

}  // namespace

ContrastiveTrainer::ContrastiveTrainer(std::shared_ptr<const model::ImageEncoder> image_encoder,
                                       std::shared_ptr<const model::TextEncoder> text_encoder,
                                       const tensor::WeightSet& image_weights, const tensor::WeightSet& text_weights,
                                       const ContrastiveOptions& options)
    : image_encoder_(std::move(image_encoder)),
      text_encoder_(std::move(text_encoder)),
      options_(options),
      image_(image_weights),
      text_(text_weights) {}

absl::StatusOr<double> ContrastiveTrainer::Step(const at::Tensor& pixels, const std::vector<int64_t>& caption_of,
                                                const std::vector<std::vector<int32_t>>& captions) {
  return tensor::Guarded([&]() -> absl::StatusOr<double> {
    const at::AutoGradMode with_gradients(true);
    const double learning_rate =
        LearningRateAt(image_.step, options_.learning_rate, options_.warmup_steps, options_.total_steps);
    image_.weights.ZeroGradient();
    text_.weights.ZeroGradient();
    const at::Device device = image_weights().flat().device();
    const at::Tensor images =
        model::NormalizeFeatures(image_encoder_->TrainingForward(image_.weights.parameters(), pixels.to(device)));
    const at::Tensor texts = model::NormalizeFeatures(text_encoder_->Forward(text_.weights.parameters(), captions));
    const at::Tensor scale = text_.weights.parameters().back().exp();
    const at::Tensor loss = ContrastiveLoss(at::mm(images, texts.t()) * scale, caption_of);
    loss.backward();
    const double value = loss.item<double>();
    const double norm = std::hypot(GradientNorm(image_.weights), GradientNorm(text_.weights));
    if (!std::isfinite(value) || !std::isfinite(norm)) {
      return base::FailedPrecondition(
          "TRAINING_DIVERGED", fmt::format("at step {} the loss is {}; lower the learning rate", image_.step, value));
    }
    AdamWOptions adamw;
    adamw.weight_decay = options_.weight_decay;
    const double factor = ClipFactor(norm, options_.gradient_clip);
    AdamWStep(adamw, learning_rate, factor, image_);
    AdamWStep(adamw, learning_rate, factor, text_);
    const at::NoGradGuard no_grad;
    at::Tensor logit_scale = text_weights().views().back();
    logit_scale.clamp_(0.0, kMaximumLogitScale);
    return value;
  });
}

}  // namespace modelpatch::train
