#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "core/patch/merge_methods.h"
#include "core/patch/piece_loop.h"

namespace modelpatch::patch {
namespace {

// The smallest magnitude of a task vector that is kept: the `kept`-th largest. `scratch` has the size of the trained
// range. Padding is zero and so among the smallest.
float SmallestKept(const MergeParts& parts, const float* weights, int64_t kept, std::vector<float>& scratch) {
  if (kept >= parts.trainable_count) return 0;
  ForEachPiece(parts.trainable_size, [&](int64_t begin, int64_t count) {
    for (int64_t i = begin; i < begin + count; ++i) {
      scratch[static_cast<size_t>(i)] = std::fabs(weights[i] - parts.base[i]);
    }
  });
  const auto place = scratch.begin() + (kept - 1);
  std::nth_element(scratch.begin(), place, scratch.end(), std::greater<>());
  return *place;
}

}  // namespace

void MergeByTies(const MergeParts& parts, double density) {
  // Rounded up, so that something is kept.
  const auto kept = static_cast<int64_t>(std::ceil(density * static_cast<double>(parts.trainable_count)));
  std::vector<float> scratch(static_cast<size_t>(parts.trainable_size));
  std::vector<float> smallest;
  for (const MergeParts::Checkpoint& checkpoint : parts.checkpoints) {
    smallest.push_back(SmallestKept(parts, checkpoint.weights, kept, scratch));
  }
  scratch = {};

  const size_t size = parts.checkpoints.size();
  ForEachPiece(parts.trainable_size, [&](int64_t begin, int64_t count) {
    std::vector<double> entries(size);
    for (int64_t i = begin; i < begin + count; ++i) {
      double elected = 0;
      for (size_t k = 0; k < size; ++k) {
        const float* weights = parts.checkpoints[k].weights;
        const bool is_kept = std::fabs(weights[i] - parts.base[i]) >= smallest[k];
        entries[k] = is_kept ? static_cast<double>(weights[i]) - static_cast<double>(parts.base[i]) : 0.0;
        elected += parts.checkpoints[k].coefficient * entries[k];
      }
      double sum = 0;
      double weight = 0;
      size_t agreeing = 0;
      size_t last = 0;
      for (size_t k = 0; k < size; ++k) {
        if (!(entries[k] * elected > 0) || parts.checkpoints[k].coefficient == 0) continue;
        sum += parts.checkpoints[k].coefficient * entries[k];
        weight += parts.checkpoints[k].coefficient;
        ++agreeing;
        last = k;
      }
      if (agreeing == 0) {
        parts.out[i] = parts.base[i];
      } else if (agreeing == 1) {
        // The mean of one, without a rounding.
        parts.out[i] = parts.checkpoints[last].weights[i];
      } else {
        parts.out[i] = static_cast<float>(static_cast<double>(parts.base[i]) + sum / weight);
      }
    }
  });
}

}  // namespace modelpatch::patch
