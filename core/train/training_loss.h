// The losses of training, on logits. Pure functions; they throw what libtorch throws.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace at {
class Tensor;
}

namespace modelpatch::train {

// The mean cross-entropy of logits fp32 [B, C] and labels [B], over the classes that each example is told apart from:
// `candidates` is [B], an empty list meaning all classes, or empty itself. `label_smoothing` is the part of a label's
// probability that those classes share evenly. Source: Szegedy et al. 2016, "Rethinking the Inception architecture",
// section 7, as torch's cross_entropy.
at::Tensor ClassificationLoss(const at::Tensor& logits, std::span<const int32_t> labels,
                              std::span<const std::vector<int32_t>> candidates, double label_smoothing);

// CLIP's symmetric cross-entropy for logits fp32 [B, U] of B images and U different texts; image i belongs to text
// `text_of[i]`, and every text to an image at least. Images of one text are all its positives, as in supervised
// contrastive learning (Khosla et al. 2020): with few texts the plain loss would push apart what belongs together.
// Source: Radford et al. 2021, figure 3.
at::Tensor ContrastiveLoss(const at::Tensor& logits, std::span<const int64_t> text_of);

}  // namespace modelpatch::train
