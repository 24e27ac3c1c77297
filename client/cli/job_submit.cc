#include "client/cli/job_submit.h"

#include <CLI/CLI.hpp>
#include <map>

#include "client/cli/arguments.h"
#include "client/status_macros.h"

namespace modelpatch::client {

void AddSubmitOptions(CLI::App& submit, SubmitOptions& options) {
  const std::map<std::string, v1::Strategy> strategies = {{"single", v1::STRATEGY_SINGLE},
                                                          {"joint", v1::STRATEGY_JOINT},
                                                          {"sequential", v1::STRATEGY_SEQUENTIAL},
                                                          {"parallel", v1::STRATEGY_PARALLEL}};
  const std::map<std::string, v1::Precision> precisions = {{"fp32", v1::PRECISION_FLOAT32},
                                                           {"bf16", v1::PRECISION_BFLOAT16}};
  submit.add_option("--model", options.model, "The model to patch")->required();
  submit.add_option("--patch-task", options.patching_tasks, "Where the model shall become good")->required();
  submit.add_option("--supported-task", options.supported_tasks, "Where it shall stay good");
  submit.add_option("--strategy", options.strategy, "How many checkpoints, out of which tasks (default: single)")
      ->transform(CLI::CheckedTransformer(strategies).description(""))
      ->type_name("single|joint|sequential|parallel");
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
  submit.add_option("--steps", options.steps, "Optimiser steps (default: 2000)");
  submit.add_option("--batch-size", options.batch_size, "Examples a step (default: 128)");
  submit.add_option("--learning-rate", options.learning_rate, "At the end of the warm-up (default: 1e-5)");
  submit.add_option("--warmup-steps", options.warmup_steps, "Default: 200, or a tenth of the steps if that is less");
  submit.add_option("--weight-decay", options.weight_decay, "Of AdamW (default: 0.1)");
  submit.add_option("--beta1", options.beta1, "Of AdamW (default: 0.9)");
  submit.add_option("--beta2", options.beta2, "Of AdamW (default: 0.999)");
  submit.add_option("--adam-epsilon", options.adam_epsilon, "Of AdamW (default: 1e-8)");
  submit.add_option("--gradient-clip", options.gradient_clip, "Largest norm of the gradient; 0 means any (default: 1)");
  submit.add_option("--seed", options.seed, "Of the training's randomness (default: 0)");
  submit.add_flag("--no-augment", options.no_augment, "Train without random resized crops");
  submit.add_option("--validation-interval-steps", options.validation_interval_steps,
                    "Measure the validation accuracy every so many steps (default: only at the end)");
  submit
      .add_option("--precision", options.precision,
                  "Of the training's matrix products; bf16 is quicker on a GPU (default: fp32)")
      ->transform(CLI::CheckedTransformer(precisions).description(""))
      ->type_name("fp32|bf16");
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
  v1::FineTuneOptions& fine_tune = *spec.mutable_fine_tune();
  fine_tune.set_precision(options.precision);
  if (options.steps) fine_tune.set_steps(*options.steps);
  if (options.batch_size) fine_tune.set_batch_size(*options.batch_size);
  if (options.learning_rate) fine_tune.set_learning_rate(*options.learning_rate);
  if (options.warmup_steps) fine_tune.set_warmup_steps(*options.warmup_steps);
  if (options.weight_decay) fine_tune.set_weight_decay(*options.weight_decay);
  if (options.beta1) fine_tune.set_beta1(*options.beta1);
  if (options.beta2) fine_tune.set_beta2(*options.beta2);
  if (options.adam_epsilon) fine_tune.set_epsilon(*options.adam_epsilon);
  if (options.gradient_clip) fine_tune.set_gradient_clip(*options.gradient_clip);
  if (options.seed) fine_tune.set_seed(*options.seed);
  if (options.no_augment) fine_tune.set_augment(false);
  if (options.validation_interval_steps) fine_tune.set_validation_interval_steps(*options.validation_interval_steps);
  return request;
}

}  // namespace modelpatch::client
