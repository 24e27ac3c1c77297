#include "client/cli/fine_tune_options.h"

#include <CLI/CLI.hpp>
#include <map>

#include "client/cli/arguments.h"
#include "client/cli/choices.h"

namespace modelpatch::client {
namespace {

// The paper's recipe.
void AddRecipe(CLI::App& submit, FineTuneArguments& arguments) {
  const std::map<std::string, v1::Precision> precisions = {{"fp32", v1::PRECISION_FLOAT32},
                                                           {"bf16", v1::PRECISION_BFLOAT16}};
  submit.add_option("--steps", arguments.steps, "Optimiser steps (default: 2000)");
  submit.add_option("--batch-size", arguments.batch_size, "Examples a step (default: 128)");
  submit.add_option("--learning-rate", arguments.learning_rate, "At the end of the warm-up (default: 1e-5)");
  submit.add_option("--warmup-steps", arguments.warmup_steps, "Default: 200, or a tenth of the steps if that is less");
  submit.add_option("--weight-decay", arguments.weight_decay, "Of AdamW (default: 0.1)");
  submit.add_option("--beta1", arguments.beta1, "Of AdamW (default: 0.9)");
  submit.add_option("--beta2", arguments.beta2, "Of AdamW (default: 0.999)");
  submit.add_option("--adam-epsilon", arguments.adam_epsilon, "Of AdamW (default: 1e-8)");
  submit.add_option("--gradient-clip", arguments.gradient_clip,
                    "Largest norm of the gradient; 0 means any (default: 1)");
  submit.add_option("--seed", arguments.seed, "Of the training's randomness (default: 0)");
  submit.add_flag("--no-augment", arguments.no_augment, "Train without random resized crops");
  submit.add_option("--validation-interval-steps", arguments.validation_interval_steps,
                    "Measure the validation accuracy every so many steps (default: only at the end)");
  submit
      .add_option("--precision", arguments.precision,
                  "Of the training's matrix products; bf16 is quicker on a GPU (default: fp32)")
      ->transform(OneOf(precisions))
      ->type_name("fp32|bf16");
}

// What patching is compared with.
void AddAlternatives(CLI::App& submit, FineTuneArguments& arguments) {
  const std::map<std::string, v1::LearningRateSchedule> schedules = {{"cosine", v1::LEARNING_RATE_SCHEDULE_COSINE},
                                                                     {"constant", v1::LEARNING_RATE_SCHEDULE_CONSTANT}};
  submit.add_option("--schedule", arguments.schedule, "The learning rate after the warm-up (default: cosine)")
      ->transform(OneOf(schedules))
      ->type_name("cosine|constant");
  submit.add_option("--label-smoothing", arguments.label_smoothing,
                    "The part of a label's probability that all classes share (default: 0)");
  submit.add_option("--snapshot-interval-steps", arguments.snapshot_interval_steps,
                    "Keep the weights of every so many steps as checkpoints (default: none)");
  submit.add_option("--ema-decay", arguments.ema_decay,
                    "Keep an exponential moving average of the weights as a checkpoint (default: none)");
  submit.add_option("--l2-penalty", arguments.l2_penalty, "λ of ½·λ·‖θ − θ_start‖² (default: 0)");
  CLI::Option* weight = submit.add_option("--ewc-weight", arguments.ewc_weight,
                                          "λ of elastic weight consolidation: ½·λ·Σ F·(θ − θ_start)²");
  CLI::Option* task =
      submit.add_option("--ewc-task", arguments.ewc_task, "The task that its Fisher matrix F is estimated on");
  weight->needs(task);
  task->needs(weight);
  submit.add_option("--ewc-examples", arguments.ewc_examples, "Training examples of that estimate (default: 1000)")
      ->needs(weight);
  CLI::Option* mixed = submit.add_option("--contrastive-weight", arguments.contrastive_weight,
                                         "β of (1 − β)·cross-entropy + β·contrastive loss");
  submit
      .add_option("--contrastive-task", arguments.contrastive_task,
                  "Whose images and prompts the contrastive loss sees (default: the patching tasks')")
      ->needs(mixed);
  submit.add_flag("--learned-head", arguments.learned_head,
                  "Train the class embeddings too; their accuracy is reported, the patch is without them");
}

}  // namespace

void AddFineTuneOptions(CLI::App& submit, FineTuneArguments& arguments) {
  AddRecipe(submit, arguments);
  AddAlternatives(submit, arguments);
}

v1::FineTuneOptions FineTuneOptionsOf(const FineTuneArguments& arguments) {
  v1::FineTuneOptions options;
  if (arguments.steps) options.set_steps(*arguments.steps);
  if (arguments.batch_size) options.set_batch_size(*arguments.batch_size);
  if (arguments.learning_rate) options.set_learning_rate(*arguments.learning_rate);
  if (arguments.warmup_steps) options.set_warmup_steps(*arguments.warmup_steps);
  if (arguments.weight_decay) options.set_weight_decay(*arguments.weight_decay);
  if (arguments.beta1) options.set_beta1(*arguments.beta1);
  if (arguments.beta2) options.set_beta2(*arguments.beta2);
  if (arguments.adam_epsilon) options.set_epsilon(*arguments.adam_epsilon);
  if (arguments.gradient_clip) options.set_gradient_clip(*arguments.gradient_clip);
  if (arguments.seed) options.set_seed(*arguments.seed);
  if (arguments.no_augment) options.set_augment(false);
  if (arguments.validation_interval_steps) {
    options.set_validation_interval_steps(*arguments.validation_interval_steps);
  }
  options.set_precision(arguments.precision);
  options.set_schedule(arguments.schedule);
  if (arguments.label_smoothing) options.set_label_smoothing(*arguments.label_smoothing);
  if (arguments.snapshot_interval_steps) options.set_snapshot_interval_steps(*arguments.snapshot_interval_steps);
  if (arguments.ema_decay) options.set_ema_decay(*arguments.ema_decay);
  if (arguments.l2_penalty) options.set_l2_penalty(*arguments.l2_penalty);
  if (arguments.ewc_weight) {
    v1::ElasticWeightConsolidation& elastic = *options.mutable_elastic_weight_consolidation();
    elastic.set_weight(*arguments.ewc_weight);
    elastic.set_task(ResourceName("tasks", arguments.ewc_task));
    if (arguments.ewc_examples) elastic.set_examples(*arguments.ewc_examples);
  }
  if (arguments.contrastive_weight) {
    v1::ContrastiveMixing& mixing = *options.mutable_contrastive_mixing();
    mixing.set_weight(*arguments.contrastive_weight);
    if (!arguments.contrastive_task.empty()) mixing.set_task(ResourceName("tasks", arguments.contrastive_task));
  }
  options.set_learned_head(arguments.learned_head);
  return options;
}

}  // namespace modelpatch::client
