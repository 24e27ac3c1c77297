#include "core/train/fine_tune_options.h"

#include <cmath>

#include "tests/support/status_matchers.h"

namespace modelpatch::train {
namespace {

using ::modelpatch::testing::FailsWith;

TEST(FineTuneOptionsTest, EveryOptionHasARange) {
  EXPECT_OK(CheckFineTuneOptions({}));
  const auto fails = [](auto change, const std::string& field) {
    FineTuneOptions options;
    change(options);
    const absl::Status status = CheckFineTuneOptions(options);
    EXPECT_THAT(status, FailsWith(absl::StatusCode::kInvalidArgument, "BAD_FINE_TUNE_OPTION")) << field;
    EXPECT_EQ(base::FieldOf(status), field);
  };
  fails([](FineTuneOptions& o) { o.steps = 0; }, "steps");
  fails([](FineTuneOptions& o) { o.batch_size = -1; }, "batch_size");
  fails([](FineTuneOptions& o) { o.learning_rate = std::nan(""); }, "learning_rate");
  fails([](FineTuneOptions& o) { o.warmup_steps = o.steps + 1; }, "warmup_steps");
  fails([](FineTuneOptions& o) { o.beta2 = 1.0; }, "beta2");
  fails([](FineTuneOptions& o) { o.gradient_clip = -1; }, "gradient_clip");
  fails([](FineTuneOptions& o) { o.label_smoothing = 1; }, "label_smoothing");
  fails([](FineTuneOptions& o) { o.label_smoothing = std::nan(""); }, "label_smoothing");
  fails([](FineTuneOptions& o) { o.l2_penalty = -1e-9; }, "l2_penalty");
  fails([](FineTuneOptions& o) { o.l2_penalty = HUGE_VAL; }, "l2_penalty");
  fails([](FineTuneOptions& o) { o.elastic_weight = -1; }, "elastic_weight_consolidation.weight");
  fails([](FineTuneOptions& o) { o.elastic_examples = 0; }, "elastic_weight_consolidation.examples");
  fails([](FineTuneOptions& o) { o.contrastive_weight = 1.01; }, "contrastive_mixing.weight");
  fails([](FineTuneOptions& o) { o.ema_decay = 1; }, "ema_decay");
  fails([](FineTuneOptions& o) { o.snapshot_interval_steps = o.steps + 1; }, "snapshot_interval_steps");
}

TEST(FineTuneOptionsTest, TheEndsOfTheRangesAreInside) {
  FineTuneOptions options;
  options.label_smoothing = 0.999;
  options.contrastive_weight = 1;
  options.ema_decay = 0.99999;
  options.snapshot_interval_steps = options.steps;
  options.elastic_weight = 1e15;
  EXPECT_OK(CheckFineTuneOptions(options));
}

}  // namespace
}  // namespace modelpatch::train
