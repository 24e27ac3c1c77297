#include "core/train/penalty.h"

#include <torch/torch.h>

#include <algorithm>

namespace modelpatch::train {
namespace {

// Elements at a time, so that what lies between is small beside θ.
constexpr int64_t kPiece = int64_t{1} << 20;

}  // namespace

double AddQuadraticPenalty(double weight, const at::Tensor& theta, const at::Tensor& start,
                           const at::Tensor* importance, const at::Tensor& gradient) {
  const at::NoGradGuard no_grad;
  at::Tensor sum = at::zeros({}, theta.options().dtype(at::kDouble));
  for (int64_t begin = 0; begin < theta.numel(); begin += kPiece) {
    const int64_t size = std::min(kPiece, theta.numel() - begin);
    const at::Tensor distance = theta.narrow(0, begin, size) - start.narrow(0, begin, size);
    const at::Tensor weighted = importance == nullptr ? distance : distance * importance->narrow(0, begin, size);
    sum.add_((distance * weighted).sum(at::kDouble));
    gradient.narrow(0, begin, size).add_(weighted, weight);
  }
  return 0.5 * weight * sum.item<double>();
}

}  // namespace modelpatch::train
