// AdamW on one flat vector.
//
// The state {θ, m, v, step} is a TrainingState, so that a run can be stored and resumed exactly. Pure functions on it;
// they throw what libtorch throws. Source: torch.optim.AdamW (decay first, bias-corrected, no amsgrad).
#pragma once

#include <cstdint>

#include "core/tensor/trainable_weights.h"

namespace modelpatch::train {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  // Decays every trained weight: gains, biases and embeddings too, as the reference does.
  double weight_decay = 0.1;
};

// The whole state of a training run. One thread.
struct TrainingState {
  // Starts training at a copy of `start`.
  explicit TrainingState(const tensor::WeightSet& start);

  tensor::TrainableWeights weights;
  // First and second moments, laid out as the weights.
  tensor::WeightSet first_moment;
  tensor::WeightSet second_moment;
  // Steps taken.
  int64_t step = 0;
};

// The L2 norm of the whole gradient.
double GradientNorm(const tensor::TrainableWeights& weights);

// The factor that brings a gradient of norm `norm` to at most `maximum_norm`: min(1, maximum_norm/(norm + 1e-6)); 1 if
// `maximum_norm` is 0. Source: torch.nn.utils.clip_grad_norm_.
double ClipFactor(double norm, double maximum_norm);

// One step with the gradient times `gradient_factor`, in one pass over the four vectors. Increments state.step.
void AdamWStep(const AdamWOptions& options, double learning_rate, double gradient_factor, TrainingState& state);

}  // namespace modelpatch::train
