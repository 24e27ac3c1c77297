#include "server/merge_conversion.h"

#include <fmt/format.h>

namespace modelpatch::server {
namespace {

// The names of core's options as fields of the message.
std::string FieldInMessage(const v1::Merge& merge, const std::string& option) {
  if (option == "fisher_examples") return "fisher.examples";
  switch (merge.method_case()) {
    case v1::Merge::kTies:
      return "ties." + option;
    case v1::Merge::kDare:
      return "dare." + option;
    default:
      return option;
  }
}

}  // namespace

absl::StatusOr<patch::MergeOptions> MergeOptionsOf(const v1::Merge& merge, size_t checkpoints) {
  patch::MergeOptions options;
  switch (merge.method_case()) {
    case v1::Merge::METHOD_NOT_SET:
      return base::InvalidArgument(
          "NO_MERGE_METHOD",
          "the merge names no method; give task_arithmetic, ties, dare, fisher or slerp, or leave merge out");
    case v1::Merge::kTaskArithmetic:
      options.method = patch::MergeMethod::kTaskArithmetic;
      break;
    case v1::Merge::kTies:
      options.method = patch::MergeMethod::kTies;
      if (merge.ties().has_density()) options.density = merge.ties().density();
      break;
    case v1::Merge::kDare:
      options.method = patch::MergeMethod::kDare;
      if (merge.dare().has_drop_rate()) options.drop_rate = merge.dare().drop_rate();
      if (merge.dare().seed() < 0) {
        return base::WithField(base::InvalidArgument("BAD_MERGE_OPTION",
                                                     fmt::format("the seed is {}; use 0 or more", merge.dare().seed())),
                               "dare.seed");
      }
      options.seed = static_cast<uint64_t>(merge.dare().seed());
      break;
    case v1::Merge::kFisher:
      options.method = patch::MergeMethod::kFisher;
      if (merge.fisher().has_examples()) options.fisher_examples = merge.fisher().examples();
      break;
    case v1::Merge::kSlerp:
      options.method = patch::MergeMethod::kSlerp;
      break;
  }
  const absl::Status status = patch::CheckMerge(options, checkpoints);
  if (status.ok()) return options;
  const std::string option = base::FieldOf(status);
  if (option.empty()) return status;
  return base::WithField(base::Error(status.code(), base::ReasonOf(status), std::string(status.message())),
                         FieldInMessage(merge, option));
}

v1::Merge MergeMessage(const patch::MergeOptions& options) {
  v1::Merge merge;
  switch (options.method) {
    case patch::MergeMethod::kTaskArithmetic:
      merge.mutable_task_arithmetic();
      break;
    case patch::MergeMethod::kTies:
      merge.mutable_ties()->set_density(options.density);
      break;
    case patch::MergeMethod::kDare:
      merge.mutable_dare()->set_drop_rate(options.drop_rate);
      merge.mutable_dare()->set_seed(static_cast<int64_t>(options.seed));
      break;
    case patch::MergeMethod::kFisher:
      merge.mutable_fisher()->set_examples(static_cast<int32_t>(options.fisher_examples));
      break;
    case patch::MergeMethod::kSlerp:
      merge.mutable_slerp();
      break;
  }
  return merge;
}

}  // namespace modelpatch::server
