#include "server/job_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/patch/sweep.h"
#include "server/accuracy_conversion.h"

namespace modelpatch::server {
namespace {

// The paper's warm-up is a tenth of its steps; a shorter run keeps the proportion.
constexpr int64_t kWarmupShare = 10;
constexpr double kMaximumEpsilonPoints = 100;

// Reads the choice of a schedule, and how weights are kept on the way.
absl::Status ReadTrajectory(const v1::FineTuneOptions& options, train::FineTuneOptions& result) {
  if (!v1::LearningRateSchedule_IsValid(options.schedule())) {
    return train::BadFineTuneOption(
        "schedule", fmt::format("{} is no schedule; use COSINE or CONSTANT", static_cast<int>(options.schedule())));
  }
  if (options.schedule() == v1::LEARNING_RATE_SCHEDULE_CONSTANT) {
    result.schedule = train::LearningRateSchedule::kConstant;
  }
  if (options.has_snapshot_interval_steps()) {
    result.snapshot_interval_steps = options.snapshot_interval_steps();
    if (result.snapshot_interval_steps < 1) {
      return train::BadFineTuneOption(
          "snapshot_interval_steps",
          fmt::format("snapshot_interval_steps is {}; it must be 1 or more, or absent for no snapshots",
                      result.snapshot_interval_steps));
    }
  }
  if (options.has_ema_decay()) {
    result.ema_decay = options.ema_decay();
    if (!(result.ema_decay > 0)) {
      return train::BadFineTuneOption(
          "ema_decay", fmt::format("ema_decay is {}; it must lie between 0 and 1, or be absent for no moving average",
                                   result.ema_decay));
    }
  }
  return absl::OkStatus();
}

// Reads what is added to the loss, and fills in the defaults.
absl::Status ReadLosses(v1::FineTuneOptions& options, train::FineTuneOptions& result) {
  if (options.has_label_smoothing()) result.label_smoothing = options.label_smoothing();
  if (options.has_l2_penalty()) result.l2_penalty = options.l2_penalty();
  if (options.has_elastic_weight_consolidation()) {
    v1::ElasticWeightConsolidation& elastic = *options.mutable_elastic_weight_consolidation();
    result.elastic_weight = elastic.weight();
    if (!(result.elastic_weight > 0)) {
      return train::BadFineTuneOption(
          "elastic_weight_consolidation.weight",
          fmt::format("the weight is {}; it must be positive, or leave elastic_weight_consolidation out",
                      result.elastic_weight));
    }
    if (elastic.task().empty()) {
      return train::BadFineTuneOption(
          "elastic_weight_consolidation.task",
          "there is no task to estimate the Fisher matrix on; name one (tasks/ID), mostly a supported one");
    }
    if (elastic.has_examples()) result.elastic_examples = elastic.examples();
    elastic.set_examples(static_cast<int32_t>(result.elastic_examples));
  }
  if (options.has_contrastive_mixing()) result.contrastive_weight = options.contrastive_mixing().weight();
  result.learned_head = options.learned_head();
  return absl::OkStatus();
}

absl::Status BadAlpha(double alpha, std::string_view field) {
  return base::WithField(base::InvalidArgument("BAD_ALPHA", fmt::format("α = {} does not lie in [0, 1]", alpha)),
                         field);
}

}  // namespace

absl::StatusOr<train::FineTuneOptions> ResolveFineTuneOptions(v1::FineTuneOptions& options) {
  train::FineTuneOptions result;
  if (options.has_steps()) result.steps = options.steps();
  if (options.has_batch_size()) result.batch_size = options.batch_size();
  if (options.has_learning_rate()) result.learning_rate = options.learning_rate();
  result.warmup_steps = options.has_warmup_steps()
                            ? options.warmup_steps()
                            : std::min(result.warmup_steps, std::max<int64_t>(result.steps, 0) / kWarmupShare);
  if (options.has_weight_decay()) result.weight_decay = options.weight_decay();
  if (options.has_beta1()) result.beta1 = options.beta1();
  if (options.has_beta2()) result.beta2 = options.beta2();
  if (options.has_epsilon()) result.epsilon = options.epsilon();
  if (options.has_gradient_clip()) result.gradient_clip = options.gradient_clip();
  if (options.has_seed()) {
    if (options.seed() < 0) {
      return base::WithField(base::InvalidArgument("BAD_FINE_TUNE_OPTION",
                                                   fmt::format("seed is {}; it must not be negative", options.seed())),
                             "seed");
    }
    result.seed = static_cast<uint64_t>(options.seed());
  }
  if (options.has_augment()) result.augment = options.augment();
  if (options.has_validation_interval_steps()) result.validation_interval_steps = options.validation_interval_steps();
  if (!v1::Precision_IsValid(options.precision())) {
    return base::WithField(
        base::InvalidArgument("BAD_PRECISION", fmt::format("{} is no precision; use FLOAT32 or BFLOAT16",
                                                           static_cast<int>(options.precision()))),
        "precision");
  }
  if (options.precision() == v1::PRECISION_BFLOAT16) result.precision = model::Precision::kBFloat16;
  MP_RETURN_IF_ERROR(ReadTrajectory(options, result));
  MP_RETURN_IF_ERROR(ReadLosses(options, result));
  MP_RETURN_IF_ERROR(train::CheckFineTuneOptions(result));

  options.set_steps(static_cast<int32_t>(result.steps));
  options.set_batch_size(static_cast<int32_t>(result.batch_size));
  options.set_learning_rate(result.learning_rate);
  options.set_warmup_steps(static_cast<int32_t>(result.warmup_steps));
  options.set_weight_decay(result.weight_decay);
  options.set_beta1(result.beta1);
  options.set_beta2(result.beta2);
  options.set_epsilon(result.epsilon);
  options.set_gradient_clip(result.gradient_clip);
  options.set_seed(static_cast<int64_t>(result.seed));
  options.set_augment(result.augment);
  options.set_validation_interval_steps(static_cast<int32_t>(result.validation_interval_steps));
  if (options.precision() == v1::PRECISION_UNSPECIFIED) options.set_precision(v1::PRECISION_FLOAT32);
  if (options.schedule() == v1::LEARNING_RATE_SCHEDULE_UNSPECIFIED) {
    options.set_schedule(v1::LEARNING_RATE_SCHEDULE_COSINE);
  }
  options.set_label_smoothing(result.label_smoothing);
  options.set_l2_penalty(result.l2_penalty);
  return result;
}

absl::StatusOr<AlphaChoice> ResolveAlphas(v1::PatchJobSpec& spec) {
  AlphaChoice choice;
  switch (spec.alpha_policy().policy_case()) {
    case v1::AlphaPolicy::kFixedAlpha:
      choice.policy = patch::AlphaPolicy::kFixed;
      choice.fixed_alpha = spec.alpha_policy().fixed_alpha();
      if (!(choice.fixed_alpha >= 0 && choice.fixed_alpha <= 1))
        return BadAlpha(choice.fixed_alpha, "alpha_policy.fixed_alpha");
      break;
    case v1::AlphaPolicy::kBudget:
      choice.policy = patch::AlphaPolicy::kBudget;
      choice.epsilon_points = spec.alpha_policy().budget().epsilon_points();
      if (!(choice.epsilon_points >= 0 && choice.epsilon_points <= kMaximumEpsilonPoints)) {
        return base::WithField(
            base::InvalidArgument("BAD_EPSILON",
                                  fmt::format("epsilon_points is {}; it must lie in [0, {}] percentage points",
                                              choice.epsilon_points, kMaximumEpsilonPoints)),
            "alpha_policy.budget.epsilon_points");
      }
      break;
    case v1::AlphaPolicy::kMean:
    case v1::AlphaPolicy::POLICY_NOT_SET:
      spec.mutable_alpha_policy()->mutable_mean();
      break;
  }
  choice.alphas.assign(spec.alphas().begin(), spec.alphas().end());
  if (choice.alphas.empty()) choice.alphas = DefaultAlphas();
  MP_RETURN_IF_ERROR(patch::CheckAlphas(choice.alphas, /*allow_extrapolation=*/false));
  std::sort(choice.alphas.begin(), choice.alphas.end());
  if (const auto twice = std::adjacent_find(choice.alphas.begin(), choice.alphas.end()); twice != choice.alphas.end()) {
    return base::WithField(base::InvalidArgument("DUPLICATE_ALPHA", fmt::format("α = {} is given twice", *twice)),
                           "alphas");
  }
  choice.alphas.push_back(0);
  choice.alphas.push_back(1);
  if (choice.policy == patch::AlphaPolicy::kFixed) choice.alphas.push_back(choice.fixed_alpha);
  std::sort(choice.alphas.begin(), choice.alphas.end());
  choice.alphas.resize(
      static_cast<size_t>(std::unique(choice.alphas.begin(), choice.alphas.end()) - choice.alphas.begin()));
  // −0 is 0.
  choice.alphas.front() = 0;
  spec.mutable_alphas()->Assign(choice.alphas.begin(), choice.alphas.end());
  return choice;
}

}  // namespace modelpatch::server
