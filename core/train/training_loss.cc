#include "core/train/training_loss.h"

#include <torch/torch.h>

#include "core/model/candidate_mask.h"

namespace modelpatch::train {
namespace {

at::Tensor Indices(std::span<const int32_t> values, const at::Device& device) {
  return torch::tensor(at::ArrayRef<int32_t>(values.data(), values.size()), at::kLong).to(device);
}

// The mean of −log p over each example's candidates, averaged over the examples.
at::Tensor UniformLoss(const at::Tensor& masked_logits, std::span<const std::vector<int32_t>> candidates) {
  const at::Tensor mask = model::CandidateMask(candidates, masked_logits.size(1)).to(masked_logits.device());
  // Before it is added up, what is −∞ is taken out, so that no gradient is infinite either.
  const at::Tensor logs = at::log_softmax(masked_logits, 1).masked_fill(mask.logical_not(), 0.0);
  return -(logs.sum(1) / mask.sum(1)).mean();
}

}  // namespace

at::Tensor ClassificationLoss(const at::Tensor& logits, std::span<const int32_t> labels,
                              std::span<const std::vector<int32_t>> candidates, double label_smoothing) {
  const at::Tensor targets = Indices(labels, logits.device());
  if (candidates.empty()) {
    return at::cross_entropy_loss(logits, targets, {}, at::Reduction::Mean, /*ignore_index=*/-100, label_smoothing);
  }
  const at::Tensor masked = model::MaskCandidates(logits, candidates);
  const at::Tensor loss = at::cross_entropy_loss(masked, targets);
  if (label_smoothing == 0) return loss;
  return (1 - label_smoothing) * loss + label_smoothing * UniformLoss(masked, candidates);
}

at::Tensor ContrastiveLoss(const at::Tensor& logits, std::span<const int64_t> text_of) {
  const at::Tensor targets =
      torch::tensor(at::ArrayRef<int64_t>(text_of.data(), text_of.size()), at::kLong).to(logits.device());
  const at::Tensor image_loss = at::cross_entropy_loss(logits, targets);
  // Per text: the mean over its images of −log softmax over all images.
  const at::Tensor positives = at::one_hot(targets, logits.size(1)).to(logits.scalar_type());
  const at::Tensor share = positives / positives.sum(0, true);
  const at::Tensor text_loss = -(share * at::log_softmax(logits, 0)).sum(0).mean();
  return (image_loss + text_loss) / 2;
}

}  // namespace modelpatch::train
