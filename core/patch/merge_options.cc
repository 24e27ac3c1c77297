#include "core/patch/merge_options.h"

#include <fmt/format.h>

namespace modelpatch::patch {
namespace {

absl::Status BadOption(std::string_view field, std::string_view message) {
  return base::WithField(base::InvalidArgument("BAD_MERGE_OPTION", message), field);
}

}  // namespace

std::string_view NameOf(MergeMethod method) {
  switch (method) {
    case MergeMethod::kTaskArithmetic:
      return "task-arithmetic";
    case MergeMethod::kTies:
      return "ties";
    case MergeMethod::kDare:
      return "dare";
    case MergeMethod::kFisher:
      return "fisher";
    case MergeMethod::kSlerp:
      return "slerp";
  }
  return "task-arithmetic";
}

absl::Status CheckMerge(const MergeOptions& options, size_t checkpoints) {
  if (checkpoints == 0) return base::InvalidArgument("BAD_TERM_COUNT", "there is no checkpoint to merge");
  switch (options.method) {
    case MergeMethod::kTaskArithmetic:
      return absl::OkStatus();
    case MergeMethod::kTies:
      if (options.density > 0 && options.density <= 1) return absl::OkStatus();
      return BadOption("density", fmt::format("the density is {}; use one in (0, 1]", options.density));
    case MergeMethod::kDare:
      if (options.drop_rate >= 0 && options.drop_rate < 1) return absl::OkStatus();
      return BadOption("drop_rate", fmt::format("the drop rate is {}; use one in [0, 1)", options.drop_rate));
    case MergeMethod::kFisher:
      if (options.fisher_examples >= 1) return absl::OkStatus();
      return BadOption("fisher_examples", fmt::format("the Fisher information cannot be estimated on {} examples; use "
                                                      "at least 1",
                                                      options.fisher_examples));
    case MergeMethod::kSlerp:
      if (checkpoints == 2) return absl::OkStatus();
      return base::InvalidArgument("BAD_TERM_COUNT",
                                   fmt::format("slerp merges exactly two checkpoints, not {}", checkpoints));
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::patch
