// MergeOptions: how several checkpoints become one task vector. Torch-free; plain values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/status.h"

namespace modelpatch::patch {

enum class MergeMethod { kTaskArithmetic, kTies, kDare, kFisher, kSlerp };

// "task-arithmetic", "ties", "dare", "fisher", "slerp".
std::string_view NameOf(MergeMethod method);

struct MergeOptions {
  MergeMethod method = MergeMethod::kTaskArithmetic;
  // TIES: the part of each task vector that is kept, in (0, 1].
  double density = 0.2;
  // DARE: the part of each task vector that is dropped, in [0, 1), and the seed of what is.
  double drop_rate = 0.9;
  uint64_t seed = 0;
  // Fisher: training examples of each estimate.
  int64_t fisher_examples = 1000;
};

// INVALID_ARGUMENT: BAD_MERGE_OPTION with the option's name as the field; BAD_TERM_COUNT for a number of checkpoints
// that the method does not take (none, or for slerp other than two).
absl::Status CheckMerge(const MergeOptions& options, size_t checkpoints);

}  // namespace modelpatch::patch
