#include "core/patch/weight_metrics.h"

#include <torch/torch.h>

namespace modelpatch::patch {

WeightSimilarity CompareWeights(const at::Tensor& a, const at::Tensor& b, int64_t count) {
  const at::NoGradGuard no_grad;
  // In pieces, so that the double-precision copies stay small.
  constexpr int64_t kPiece = int64_t{1} << 22;
  double dot = 0, square_a = 0, square_b = 0, difference = 0;
  for (int64_t begin = 0; begin < a.numel(); begin += kPiece) {
    const int64_t size = std::min(kPiece, a.numel() - begin);
    const at::Tensor x = a.narrow(0, begin, size).to(at::kDouble);
    const at::Tensor y = b.narrow(0, begin, size).to(at::kDouble);
    dot += at::dot(x, y).item<double>();
    square_a += at::dot(x, x).item<double>();
    square_b += at::dot(y, y).item<double>();
    difference += (x - y).abs().sum().item<double>();
  }
  const double norms = std::sqrt(square_a) * std::sqrt(square_b);
  return {norms > 0 ? dot / norms : 0.0, count > 0 ? difference / static_cast<double>(count) : 0.0};
}

double LinearCka(const at::Tensor& a, const at::Tensor& b) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = a.to(at::kDouble) - a.to(at::kDouble).mean(0, true);
  const at::Tensor y = b.to(at::kDouble) - b.to(at::kDouble).mean(0, true);
  const double cross = at::mm(x.t(), y).norm().item<double>();
  const double scale = at::mm(x.t(), x).norm().item<double>() * at::mm(y.t(), y).norm().item<double>();
  return scale > 0 ? cross * cross / scale : 0.0;
}

}  // namespace modelpatch::patch
