// The options of `job submit`, and the request that they make.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/fine_tune_options.h"
#include "client/cli/merge_options.h"
#include "client/cli/search_options.h"
#include "modelpatch/v1/patch_job_service.pb.h"

namespace CLI {
class App;
}

namespace modelpatch::client {

struct SubmitOptions {
  std::string model;
  std::vector<std::string> patching_tasks;
  std::vector<std::string> supported_tasks;
  v1::Strategy strategy = v1::STRATEGY_SINGLE;
  v1::TaskBalance task_balance = v1::TASK_BALANCE_UNSPECIFIED;
  std::optional<int64_t> order_seed;
  bool skip_comparisons = false;
  // Existing ones that are mixed.
  std::vector<std::string> checkpoints;
  std::string alpha_policy = "mean";
  double epsilon_points = 0.5;
  double alpha = 1;
  std::string alphas;
  std::string name;
  std::string request_id;
  FineTuneArguments fine_tune;
  SearchArguments search;
  MergeArguments merge;
  bool watch = false;
};

// `options` outlives the parsing.
void AddSubmitOptions(CLI::App& submit, SubmitOptions& options);

// INVALID_ARGUMENT if --alphas or --search-grid cannot be read, or if an option belongs to another method than the one
// chosen; all else is for the server to judge.
absl::StatusOr<v1::CreatePatchJobRequest> RequestOf(const SubmitOptions& options);

}  // namespace modelpatch::client
