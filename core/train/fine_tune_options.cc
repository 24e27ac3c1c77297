#include "core/train/fine_tune_options.h"

#include <fmt/format.h>

#include <cmath>

namespace modelpatch::train {
namespace {

// Fisher information may be tiny, and then its weight is large.
constexpr double kMaximumElasticWeight = 1e15;
constexpr double kMaximumL2Penalty = 1e6;
constexpr int64_t kMaximumExamples = 10'000'000;

absl::Status CheckRange(std::string_view field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return BadFineTuneOption(field, fmt::format("{} is {}; it must lie in [{}, {}]", field, value, low, high));
}

absl::Status CheckRange(std::string_view field, double value, double low, double high) {
  if (std::isfinite(value) && value >= low && value <= high) return absl::OkStatus();
  return BadFineTuneOption(field, fmt::format("{} is {}; it must lie in [{}, {}]", field, value, low, high));
}

// In [0, 1).
absl::Status CheckBelowOne(std::string_view field, double value) {
  if (value >= 0 && value < 1) return absl::OkStatus();
  return BadFineTuneOption(field, fmt::format("{} is {}; it must be at least 0 and below 1", field, value));
}

absl::Status CheckAlternatives(const FineTuneOptions& options) {
  MP_RETURN_IF_ERROR(CheckBelowOne("label_smoothing", options.label_smoothing));
  MP_RETURN_IF_ERROR(CheckRange("l2_penalty", options.l2_penalty, 0.0, kMaximumL2Penalty));
  MP_RETURN_IF_ERROR(
      CheckRange("elastic_weight_consolidation.weight", options.elastic_weight, 0.0, kMaximumElasticWeight));
  MP_RETURN_IF_ERROR(
      CheckRange("elastic_weight_consolidation.examples", options.elastic_examples, int64_t{1}, kMaximumExamples));
  MP_RETURN_IF_ERROR(CheckRange("contrastive_mixing.weight", options.contrastive_weight, 0.0, 1.0));
  MP_RETURN_IF_ERROR(CheckBelowOne("ema_decay", options.ema_decay));
  return CheckRange("snapshot_interval_steps", options.snapshot_interval_steps, int64_t{0}, options.steps);
}

}  // namespace

absl::Status BadFineTuneOption(std::string_view field, std::string_view message) {
  return base::WithField(base::InvalidArgument("BAD_FINE_TUNE_OPTION", message), field);
}

absl::Status CheckFineTuneOptions(const FineTuneOptions& options) {
  MP_RETURN_IF_ERROR(CheckRange("steps", options.steps, int64_t{1}, int64_t{10'000'000}));
  MP_RETURN_IF_ERROR(CheckRange("batch_size", options.batch_size, int64_t{1}, int64_t{65'536}));
  MP_RETURN_IF_ERROR(CheckRange("learning_rate", options.learning_rate, 1e-12, 10.0));
  // Beyond the last step the cosine would divide by nothing.
  MP_RETURN_IF_ERROR(CheckRange("warmup_steps", options.warmup_steps, int64_t{0}, options.steps));
  MP_RETURN_IF_ERROR(CheckRange("weight_decay", options.weight_decay, 0.0, 10.0));
  MP_RETURN_IF_ERROR(CheckRange("beta1", options.beta1, 0.0, 0.999999));
  MP_RETURN_IF_ERROR(CheckRange("beta2", options.beta2, 0.0, 0.999999));
  MP_RETURN_IF_ERROR(CheckRange("epsilon", options.epsilon, 1e-16, 1.0));
  MP_RETURN_IF_ERROR(CheckRange("gradient_clip", options.gradient_clip, 0.0, 1e6));
  MP_RETURN_IF_ERROR(
      CheckRange("validation_interval_steps", options.validation_interval_steps, int64_t{0}, options.steps));
  return CheckAlternatives(options);
}

}  // namespace modelpatch::train
