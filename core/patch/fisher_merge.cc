#include <fmt/format.h>

#include <atomic>
#include <cmath>

#include "core/patch/merge_methods.h"
#include "core/patch/piece_loop.h"

namespace modelpatch::patch {
namespace {

bool IsInformation(const float* fisher, int64_t size) {
  std::atomic<bool> usable = true;
  ForEachPiece(size, [&](int64_t begin, int64_t count) {
    for (int64_t i = begin; i < begin + count; ++i) {
      if (!std::isfinite(fisher[i]) || fisher[i] < 0) usable = false;
    }
  });
  return usable;
}

}  // namespace

absl::Status MergeByFisher(const MergeParts& parts) {
  for (const MergeParts::Checkpoint& checkpoint : parts.checkpoints) {
    if (checkpoint.fisher == nullptr || !IsInformation(checkpoint.fisher, parts.trainable_size)) {
      return base::FailedPrecondition(
          "BAD_FISHER", fmt::format("the Fisher information of the checkpoint with blob {} is missing, negative or not "
                                    "finite; estimate it again",
                                    checkpoint.blob));
    }
  }
  ForEachPiece(parts.trainable_size, [&](int64_t begin, int64_t count) {
    for (int64_t i = begin; i < begin + count; ++i) {
      double weight = 0, sum = 0, plain_weight = 0, plain_sum = 0;
      for (const MergeParts::Checkpoint& checkpoint : parts.checkpoints) {
        const double entry = static_cast<double>(checkpoint.weights[i]) - static_cast<double>(parts.base[i]);
        const double information = checkpoint.coefficient * static_cast<double>(checkpoint.fisher[i]);
        weight += information;
        sum += information * entry;
        plain_weight += checkpoint.coefficient;
        plain_sum += checkpoint.coefficient * entry;
      }
      const double mean = weight > 0 ? sum / weight : plain_sum / plain_weight;
      parts.out[i] = static_cast<float>(static_cast<double>(parts.base[i]) + mean);
    }
  });
  return absl::OkStatus();
}

}  // namespace modelpatch::patch
