#include "core/patch/task_vector_products.h"

#include <torch/torch.h>

#include <algorithm>

#include "core/patch/piece_loop.h"

namespace modelpatch::patch {
namespace {

// Of the elements [begin, end), on the CPU.
double ProductOnCpu(const at::Tensor& gradient, const tensor::WeightSet& base, const tensor::WeightSet& weights,
                    int64_t begin, int64_t end) {
  const float* slopes = gradient.data_ptr<float>() + begin;
  const float* from = base.flat().data_ptr<float>() + begin;
  const float* to = weights.flat().data_ptr<float>() + begin;
  std::vector<double> pieces(static_cast<size_t>((end - begin + kPieceSize - 1) / kPieceSize));
  ForEachPiece(end - begin, [&](int64_t first, int64_t count) {
    double sum = 0;
    for (int64_t i = first; i < first + count; ++i) {
      sum += static_cast<double>(slopes[i]) * (static_cast<double>(to[i]) - static_cast<double>(from[i]));
    }
    pieces[static_cast<size_t>(first / kPieceSize)] = sum;
  });
  double total = 0;
  for (const double piece : pieces) total += piece;
  return total;
}

double ProductOnDevice(const at::Tensor& gradient, const tensor::WeightSet& base, const tensor::WeightSet& weights,
                       int64_t begin, int64_t end) {
  constexpr int64_t kDevicePiece = int64_t{1} << 24;
  at::Tensor total = at::zeros({}, gradient.options().dtype(at::kDouble));
  for (int64_t first = begin; first < end; first += kDevicePiece) {
    const int64_t count = std::min(kDevicePiece, end - first);
    const at::Tensor step =
        weights.flat().narrow(0, first, count).to(at::kDouble) - base.flat().narrow(0, first, count).to(at::kDouble);
    total += at::dot(gradient.narrow(0, first, count).to(at::kDouble), step);
  }
  return total.item<double>();
}

}  // namespace

std::vector<double> TaskVectorProducts(const at::Tensor& gradient, const tensor::WeightSet& base,
                                       std::span<const BlobWeights> checkpoints, const CoefficientGroups& groups) {
  const at::NoGradGuard no_grad;
  std::vector<double> products(checkpoints.size() * groups.count(), 0.0);
  for (const GroupRange& range : groups.ranges) {
    const int64_t end = std::min(range.end, gradient.numel());
    if (range.begin >= end) continue;
    for (size_t i = 0; i < checkpoints.size(); ++i) {
      const tensor::WeightSet& weights = *checkpoints[i].weights;
      products[i * groups.count() + range.group] += base.device().is_cuda()
                                                        ? ProductOnDevice(gradient, base, weights, range.begin, end)
                                                        : ProductOnCpu(gradient, base, weights, range.begin, end);
    }
  }
  return products;
}

}  // namespace modelpatch::patch
