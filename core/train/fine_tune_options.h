// FineTuneOptions: how an image encoder is fine-tuned. Torch-free; plain values and pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/status.h"
#include "core/model/precision.h"
#include "core/train/schedule.h"

namespace modelpatch::train {

// The paper's recipe (PAINT, appendix B): the defaults.
struct FineTuneOptions {
  int64_t steps = 2000;
  int64_t batch_size = 128;
  double learning_rate = 1e-5;
  int64_t warmup_steps = 200;
  double weight_decay = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  // Maximum global norm of the gradient; 0 turns clipping off.
  double gradient_clip = 1.0;
  uint64_t seed = 0;
  // Random-resized-crop of the training images; without it they take the evaluation transform.
  bool augment = true;
  // Steps between accuracies on the validation split; 0 means only at the end.
  int64_t validation_interval_steps = 0;
  // Of the forward and the backward; θ, its gradient and AdamW's state stay in fp32.
  model::Precision precision = model::Precision::kFloat32;
  // After the warm-up.
  LearningRateSchedule schedule = LearningRateSchedule::kCosine;
  // The part of a label's probability that is shared by all classes that the example is told apart from.
  double label_smoothing = 0;
  // λ of ½·λ·‖θ − θ_start‖².
  double l2_penalty = 0;
  // λ of ½·λ·Σ F·(θ − θ_start)², with F of FineTuneSpec::elastic_task (Kirkpatrick et al. 2017, equation 3).
  double elastic_weight = 0;
  // Training examples that F is estimated on; as many as there are, if they are fewer.
  int64_t elastic_examples = 1000;
  // β of (1 − β)·cross-entropy + β·contrastive loss.
  double contrastive_weight = 0;
  // Trains the class embeddings too.
  bool learned_head = false;
  // Decay of an exponential moving average of the weights, which is published beside them; 0: none.
  double ema_decay = 0;
  // Publishes the weights of every so many steps; 0: none.
  int64_t snapshot_interval_steps = 0;
};

// INVALID_ARGUMENT (BAD_FINE_TUNE_OPTION) with the path of the option in the API's message as the field, such as
// `elastic_weight_consolidation.weight`.
absl::Status CheckFineTuneOptions(const FineTuneOptions& options);

// An error as those of CheckFineTuneOptions.
absl::Status BadFineTuneOption(std::string_view field, std::string_view message);

}  // namespace modelpatch::train
