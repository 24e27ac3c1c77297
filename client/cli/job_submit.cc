#include "client/cli/job_submit.h"

#include <CLI/CLI.hpp>
#include <map>

#include "client/cli/arguments.h"
#include "client/cli/choices.h"
#include "client/status_macros.h"

namespace modelpatch::client {

void AddSubmitOptions(CLI::App& submit, SubmitOptions& options) {
  const std::map<std::string, v1::Strategy> strategies = {{"single", v1::STRATEGY_SINGLE},
                                                          {"joint", v1::STRATEGY_JOINT},
                                                          {"sequential", v1::STRATEGY_SEQUENTIAL},
                                                          {"parallel", v1::STRATEGY_PARALLEL}};
  const std::map<std::string, v1::TaskBalance> balances = {{"size", v1::TASK_BALANCE_BY_SIZE},
                                                           {"even", v1::TASK_BALANCE_EVEN}};
  submit.add_option("--model", options.model, "The model to patch")->required();
  submit.add_option("--patch-task", options.patching_tasks, "Where the model shall become good")->required();
  submit.add_option("--supported-task", options.supported_tasks, "Where it shall stay good");
  submit.add_option("--strategy", options.strategy, "How many checkpoints, out of which tasks (default: single)")
      ->transform(OneOf(strategies))
      ->type_name("single|joint|sequential|parallel");
  submit
      .add_option("--task-balance", options.task_balance,
                  "joint: whether every example is seen equally often, or every task (default: size)")
      ->transform(OneOf(balances))
      ->type_name("size|even");
  submit.add_option("--order-seed", options.order_seed,
                    "sequential: shuffle the patching tasks by this seed (default: as they are given)");
  submit.add_flag("--skip-comparisons", options.skip_comparisons,
                  "Train nothing that only stands beside the result, such as specialised models");
  submit.add_option("--checkpoint", options.checkpoints,
                    "parallel: mix these checkpoints instead of training; give two or more");
  submit.add_option("--alpha-policy", options.alpha_policy, "How α is chosen on validation data")
      ->check(CLI::IsMember({"mean", "budget", "fixed"}).description(""))
      ->type_name("mean|budget|fixed")
      ->capture_default_str();
  submit.add_option("--epsilon", options.epsilon_points, "Points that a supported task may lose (policy budget)")
      ->capture_default_str();
  submit.add_option("--alpha", options.alpha, "The α of the policy fixed")->capture_default_str();
  submit.add_option("--alphas", options.alphas, "Where to look: FROM:TO:STEP or A,B,C (default: 0:1:0.05)");
  submit.add_option("--name", options.name, "What the job shall be called (default: the server chooses)");
  submit.add_option("--request-id", options.request_id, "A second call with the same one changes nothing");
  AddFineTuneOptions(submit, options.fine_tune);
  AddSearchOptions(submit, options.search);
  AddMergeOptions(submit, options.merge);
  submit.add_flag("--watch", options.watch, "Follow the job until it has ended");
}

absl::StatusOr<v1::CreatePatchJobRequest> RequestOf(const SubmitOptions& options) {
  v1::CreatePatchJobRequest request;
  request.set_patch_job_id(options.name);
  request.set_request_id(options.request_id);
  v1::PatchJobSpec& spec = *request.mutable_patch_job()->mutable_spec();
  spec.set_model(ResourceName("models", options.model));
  for (const std::string& task : options.patching_tasks) spec.add_patching_tasks(ResourceName("tasks", task));
  for (const std::string& task : options.supported_tasks) spec.add_supported_tasks(ResourceName("tasks", task));
  spec.set_strategy(options.strategy);
  if (options.alpha_policy == "fixed") {
    spec.mutable_alpha_policy()->set_fixed_alpha(options.alpha);
  } else if (options.alpha_policy == "budget") {
    spec.mutable_alpha_policy()->mutable_budget()->set_epsilon_points(options.epsilon_points);
  } else {
    spec.mutable_alpha_policy()->mutable_mean();
  }
  if (!options.alphas.empty()) {
    CLIENT_ASSIGN_OR_RETURN(const std::vector<double> alphas, ParseAlphas(options.alphas));
    spec.mutable_alphas()->Add(alphas.begin(), alphas.end());
  }
  const v1::FineTuneOptions fine_tune = FineTuneOptionsOf(options.fine_tune);
  // A job that mixes checkpoints takes none.
  if (fine_tune.ByteSizeLong() > 0) *spec.mutable_fine_tune() = fine_tune;
  spec.set_task_balance(options.task_balance);
  CLIENT_ASSIGN_OR_RETURN(const std::optional<v1::CoefficientSearch> search, CoefficientSearchOf(options.search));
  if (search) *spec.mutable_coefficient_search() = *search;
  CLIENT_ASSIGN_OR_RETURN(const std::optional<v1::Merge> merge, MergeOf(options.merge));
  if (merge) *spec.mutable_merge() = *merge;
  if (options.order_seed) spec.set_order_seed(*options.order_seed);
  spec.set_skip_comparisons(options.skip_comparisons);
  for (const std::string& name : options.checkpoints) spec.add_checkpoints(ResourceName("checkpoints", name));
  return request;
}

}  // namespace modelpatch::client
