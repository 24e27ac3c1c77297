#include "core/train/optimizer.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace modelpatch::train {
namespace {

// The numbers of one step, as the kernels need them.
struct StepConstants {
  float decay;  // 1 − lr·weight_decay
  float beta1, beta2;
  float rest1, rest2;     // 1 − beta
  float step_size;        // lr / (1 − β₁ᵗ)
  float root_correction;  // √(1 − β₂ᵗ)
  float epsilon;
  float gradient_factor;
};

StepConstants MakeConstants(const AdamWOptions& options, double learning_rate, double gradient_factor, int64_t step) {
  const auto t = static_cast<double>(step);
  return {static_cast<float>(1 - learning_rate * options.weight_decay),
          static_cast<float>(options.beta1),
          static_cast<float>(options.beta2),
          static_cast<float>(1 - options.beta1),
          static_cast<float>(1 - options.beta2),
          static_cast<float>(learning_rate / (1 - std::pow(options.beta1, t))),
          static_cast<float>(std::sqrt(1 - std::pow(options.beta2, t))),
          static_cast<float>(options.epsilon),
          static_cast<float>(gradient_factor)};
}

void StepOnCpu(const StepConstants& c, float* theta, const float* gradient, float* m, float* v, int64_t size) {
  constexpr int64_t kGrain = int64_t{1} << 15;
  at::parallel_for(0, size, kGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float g = gradient[i] * c.gradient_factor;
      m[i] = m[i] * c.beta1 + g * c.rest1;
      v[i] = v[i] * c.beta2 + g * g * c.rest2;
      theta[i] = theta[i] * c.decay - c.step_size * (m[i] / (std::sqrt(v[i]) / c.root_correction + c.epsilon));
    }
  });
}

void StepOnDevice(const StepConstants& c, at::Tensor theta, const at::Tensor& raw_gradient, at::Tensor m,
                  at::Tensor v) {
  const at::Tensor gradient = raw_gradient * c.gradient_factor;
  m.mul_(c.beta1).add_(gradient, c.rest1);
  v.mul_(c.beta2).addcmul_(gradient, gradient, c.rest2);
  theta.mul_(c.decay).addcdiv_(m, v.sqrt().div_(c.root_correction).add_(c.epsilon), -c.step_size);
}

}  // namespace

TrainingState::TrainingState(const tensor::WeightSet& start)
    : weights(start.Clone()),
      first_moment(start.shared_layout(), start.device()),
      second_moment(start.shared_layout(), start.device()) {}

double GradientNorm(const tensor::TrainableWeights& weights) { return weights.gradient().norm().item<double>(); }

double ClipFactor(double norm, double maximum_norm) {
  return maximum_norm > 0 ? std::min(1.0, maximum_norm / (norm + 1e-6)) : 1.0;
}

void AdamWStep(const AdamWOptions& options, double learning_rate, double gradient_factor, TrainingState& state) {
  const at::NoGradGuard no_grad;
  ++state.step;
  const StepConstants constants = MakeConstants(options, learning_rate, gradient_factor, state.step);
  const int64_t size = state.weights.weights().layout().trainable_size();
  const at::Tensor theta = state.weights.trained_range();
  const at::Tensor m = state.first_moment.flat().narrow(0, 0, size);
  const at::Tensor v = state.second_moment.flat().narrow(0, 0, size);
  const at::Tensor& gradient = state.weights.gradient();
  if (theta.is_cuda()) {
    StepOnDevice(constants, theta, gradient, m, v);
  } else {
    StepOnCpu(constants, theta.data_ptr<float>(), gradient.data_ptr<float>(), m.data_ptr<float>(), v.data_ptr<float>(),
              size);
  }
}

}  // namespace modelpatch::train
