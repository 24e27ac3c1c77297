// Quadratic penalties that hold training near its start, on flat vectors.
//
// Pure functions; they throw what libtorch throws. Sources: Li et al. 2018, "Explicit inductive bias for transfer
// learning" (L²-SP); Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting in neural networks", equation 3.
#pragma once

namespace at {
class Tensor;
}

namespace modelpatch::train {

// Adds λ·F·(θ − θ_start) to `gradient` and returns ½·λ·Σ F·(θ − θ_start)². All are fp32 [n] on one device;
// `importance` is F, or null for 1 everywhere.
double AddQuadraticPenalty(double weight, const at::Tensor& theta, const at::Tensor& start,
                           const at::Tensor* importance, const at::Tensor& gradient);

}  // namespace modelpatch::train
