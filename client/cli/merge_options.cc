#include "client/cli/merge_options.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/option_scope.h"
#include "client/cli/text_format.h"
#include "client/status_macros.h"

namespace modelpatch::client {

void AddMergeOptions(CLI::App& command, MergeArguments& arguments) {
  command.add_option("--merge", arguments.method, "How the checkpoints become one task vector")
      ->check(CLI::IsMember({"task-arithmetic", "ties", "dare", "fisher", "slerp"}).description(""))
      ->type_name("task-arithmetic|ties|dare|fisher|slerp");
  command.add_option("--density", arguments.density, "ties: the part of each task vector that is kept (default: 0.2)");
  command.add_option("--drop-rate", arguments.drop_rate,
                     "dare: the part of each task vector that is dropped (default: 0.9)");
  command.add_option("--merge-seed", arguments.seed, "dare: the seed of what is dropped (default: 0)");
  command.add_option("--fisher-examples", arguments.fisher_examples,
                     "fisher: training examples of each estimate (default: 1000)");
}

absl::StatusOr<std::optional<v1::Merge>> MergeOf(const MergeArguments& arguments) {
  const auto belongs = [&](bool given, const char* option, const char* method) {
    return CheckBelongs(given, option, "--merge", {method}, arguments.method);
  };
  CLIENT_RETURN_IF_ERROR(belongs(arguments.density.has_value(), "--density", "ties"));
  CLIENT_RETURN_IF_ERROR(belongs(arguments.drop_rate.has_value(), "--drop-rate", "dare"));
  CLIENT_RETURN_IF_ERROR(belongs(arguments.seed.has_value(), "--merge-seed", "dare"));
  CLIENT_RETURN_IF_ERROR(belongs(arguments.fisher_examples.has_value(), "--fisher-examples", "fisher"));
  if (arguments.method.empty()) return std::optional<v1::Merge>();
  v1::Merge merge;
  if (arguments.method == "task-arithmetic") merge.mutable_task_arithmetic();
  if (arguments.method == "ties") {
    merge.mutable_ties();
    if (arguments.density) merge.mutable_ties()->set_density(*arguments.density);
  }
  if (arguments.method == "dare") {
    merge.mutable_dare();
    if (arguments.drop_rate) merge.mutable_dare()->set_drop_rate(*arguments.drop_rate);
    if (arguments.seed) merge.mutable_dare()->set_seed(*arguments.seed);
  }
  if (arguments.method == "fisher") {
    merge.mutable_fisher();
    if (arguments.fisher_examples) merge.mutable_fisher()->set_examples(*arguments.fisher_examples);
  }
  if (arguments.method == "slerp") merge.mutable_slerp();
  return std::optional<v1::Merge>(std::move(merge));
}

std::string MergeText(const v1::Merge& merge) {
  switch (merge.method_case()) {
    case v1::Merge::kTaskArithmetic:
      return "task-arithmetic";
    case v1::Merge::kTies:
      return absl::StrCat("ties (density ", Number(merge.ties().density()), ")");
    case v1::Merge::kDare:
      return absl::StrCat("dare (drop rate ", Number(merge.dare().drop_rate()), ", seed ", merge.dare().seed(), ")");
    case v1::Merge::kFisher:
      return absl::StrCat("fisher (", merge.fisher().examples(), " examples)");
    case v1::Merge::kSlerp:
      return "slerp";
    case v1::Merge::METHOD_NOT_SET:
      break;
  }
  return "";
}

}  // namespace modelpatch::client
