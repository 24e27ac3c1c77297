#include "server/job_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using testing::FailsWith;

TEST(FineTuneOptionsTest, AbsentFieldsHaveThePapersValuesAndAreFilledIn) {
  v1::FineTuneOptions message;
  ASSERT_OK_AND_ASSIGN(const train::FineTuneOptions options, ResolveFineTuneOptions(message));
  EXPECT_EQ(options.steps, 2000);
  EXPECT_EQ(options.batch_size, 128);
  EXPECT_EQ(options.warmup_steps, 200);
  EXPECT_EQ(message.learning_rate(), 1e-5);
  EXPECT_EQ(message.weight_decay(), 0.1);
  EXPECT_TRUE(message.augment());
  EXPECT_TRUE(message.has_seed());
}

TEST(FineTuneOptionsTest, AShortRunWarmsUpForATenth) {
  v1::FineTuneOptions message;
  message.set_steps(50);
  ASSERT_OK_AND_ASSIGN(const train::FineTuneOptions options, ResolveFineTuneOptions(message));
  EXPECT_EQ(options.warmup_steps, 5);
  message.set_warmup_steps(0);
  ASSERT_OK_AND_ASSIGN(const train::FineTuneOptions none, ResolveFineTuneOptions(message));
  EXPECT_EQ(none.warmup_steps, 0);
}

TEST(FineTuneOptionsTest, RefusesNonsenseWithTheFieldsName) {
  v1::FineTuneOptions message;
  message.set_steps(0);
  EXPECT_THAT(ResolveFineTuneOptions(message), FailsWith(StatusCode::kInvalidArgument, "BAD_FINE_TUNE_OPTION"));
  EXPECT_EQ(base::FieldOf(ResolveFineTuneOptions(message).status()), "steps");
  message.set_steps(10);
  message.set_learning_rate(std::nan(""));
  EXPECT_EQ(base::FieldOf(ResolveFineTuneOptions(message).status()), "learning_rate");
  message.clear_learning_rate();
  message.set_seed(-1);
  EXPECT_EQ(base::FieldOf(ResolveFineTuneOptions(message).status()), "seed");
}

TEST(FineTuneOptionsTest, WithoutAlternativesItIsThePapersRecipe) {
  v1::FineTuneOptions message;
  ASSERT_OK_AND_ASSIGN(const train::FineTuneOptions options, ResolveFineTuneOptions(message));
  EXPECT_EQ(options.schedule, train::LearningRateSchedule::kCosine);
  EXPECT_EQ(options.label_smoothing, 0);
  EXPECT_EQ(options.l2_penalty, 0);
  EXPECT_EQ(options.elastic_weight, 0);
  EXPECT_EQ(options.contrastive_weight, 0);
  EXPECT_EQ(options.ema_decay, 0);
  EXPECT_EQ(options.snapshot_interval_steps, 0);
  EXPECT_FALSE(options.learned_head);
  EXPECT_EQ(message.schedule(), v1::LEARNING_RATE_SCHEDULE_COSINE);
  EXPECT_TRUE(message.has_label_smoothing());
  EXPECT_FALSE(message.has_ema_decay());
  EXPECT_FALSE(message.has_snapshot_interval_steps());
  EXPECT_FALSE(message.has_elastic_weight_consolidation());
}

TEST(FineTuneOptionsTest, TakesEveryAlternative) {
  v1::FineTuneOptions message;
  message.set_schedule(v1::LEARNING_RATE_SCHEDULE_CONSTANT);
  message.set_label_smoothing(0.1);
  message.set_l2_penalty(0.5);
  message.set_ema_decay(0.99);
  message.set_snapshot_interval_steps(100);
  message.mutable_elastic_weight_consolidation()->set_weight(1e6);
  message.mutable_elastic_weight_consolidation()->set_task("tasks/cifar10");
  message.mutable_contrastive_mixing()->set_weight(0.25);
  message.set_learned_head(true);
  ASSERT_OK_AND_ASSIGN(const train::FineTuneOptions options, ResolveFineTuneOptions(message));
  EXPECT_EQ(options.schedule, train::LearningRateSchedule::kConstant);
  EXPECT_EQ(options.label_smoothing, 0.1);
  EXPECT_EQ(options.l2_penalty, 0.5);
  EXPECT_EQ(options.ema_decay, 0.99);
  EXPECT_EQ(options.snapshot_interval_steps, 100);
  EXPECT_EQ(options.elastic_weight, 1e6);
  EXPECT_EQ(options.elastic_examples, 1000);
  EXPECT_EQ(message.elastic_weight_consolidation().examples(), 1000);
  EXPECT_EQ(options.contrastive_weight, 0.25);
  EXPECT_TRUE(options.learned_head);
}

TEST(FineTuneOptionsTest, RefusesAnAlternativeThatMakesNoSenseWithItsPath) {
  const auto field_of = [](auto change) {
    v1::FineTuneOptions message;
    change(message);
    const absl::Status status = ResolveFineTuneOptions(message).status();
    EXPECT_THAT(status, FailsWith(StatusCode::kInvalidArgument, "BAD_FINE_TUNE_OPTION"));
    return base::FieldOf(status);
  };
  using Options = v1::FineTuneOptions;
  EXPECT_EQ(field_of([](Options& o) { o.set_schedule(static_cast<v1::LearningRateSchedule>(9)); }), "schedule");
  EXPECT_EQ(field_of([](Options& o) { o.set_label_smoothing(1); }), "label_smoothing");
  EXPECT_EQ(field_of([](Options& o) { o.set_label_smoothing(std::nan("")); }), "label_smoothing");
  EXPECT_EQ(field_of([](Options& o) { o.set_l2_penalty(-1); }), "l2_penalty");
  for (const double bad : {0.0, 1.0, -0.5, std::nan("")}) {
    EXPECT_EQ(field_of([&](Options& o) { o.set_ema_decay(bad); }), "ema_decay") << bad;
  }
  for (const int bad : {0, -1, 2001}) {
    EXPECT_EQ(field_of([&](Options& o) { o.set_snapshot_interval_steps(bad); }), "snapshot_interval_steps") << bad;
  }
  for (const double bad : {-0.1, 1.1, HUGE_VAL}) {
    EXPECT_EQ(field_of([&](Options& o) { o.mutable_contrastive_mixing()->set_weight(bad); }),
              "contrastive_mixing.weight");
  }
  EXPECT_EQ(field_of([](Options& o) { o.mutable_elastic_weight_consolidation()->set_task("tasks/t"); }),
            "elastic_weight_consolidation.weight");
  EXPECT_EQ(field_of([](Options& o) { o.mutable_elastic_weight_consolidation()->set_weight(1); }),
            "elastic_weight_consolidation.task");
  EXPECT_EQ(field_of([](Options& o) {
              o.mutable_elastic_weight_consolidation()->set_weight(1);
              o.mutable_elastic_weight_consolidation()->set_task("tasks/t");
              o.mutable_elastic_weight_consolidation()->set_examples(0);
            }),
            "elastic_weight_consolidation.examples");
}

TEST(AlphasTest, TheDefaultIsTheMeanOverTwentyOnePoints) {
  v1::PatchJobSpec spec;
  ASSERT_OK_AND_ASSIGN(const AlphaChoice choice, ResolveAlphas(spec));
  EXPECT_EQ(choice.policy, patch::AlphaPolicy::kMean);
  ASSERT_EQ(choice.alphas.size(), 21u);
  EXPECT_EQ(choice.alphas[1], 0.05);
  EXPECT_EQ(choice.alphas[20], 1);
  EXPECT_TRUE(spec.alpha_policy().has_mean());
  EXPECT_EQ(spec.alphas_size(), 21);
}

TEST(AlphasTest, TheEndsAndTheFixedAlphaAreAlwaysThere) {
  v1::PatchJobSpec spec;
  spec.add_alphas(0.5);
  spec.mutable_alpha_policy()->set_fixed_alpha(0.3);
  ASSERT_OK_AND_ASSIGN(const AlphaChoice choice, ResolveAlphas(spec));
  EXPECT_THAT(choice.alphas, ElementsAre(0, 0.3, 0.5, 1));
  EXPECT_EQ(choice.fixed_alpha, 0.3);
}

TEST(AlphasTest, RefusesWhatIsNoAlpha) {
  for (const double bad : {-0.1, 1.1, std::nan(""), HUGE_VAL}) {
    v1::PatchJobSpec grid;
    grid.add_alphas(bad);
    EXPECT_THAT(ResolveAlphas(grid), FailsWith(StatusCode::kInvalidArgument, "BAD_ALPHA")) << bad;
    v1::PatchJobSpec fixed;
    fixed.mutable_alpha_policy()->set_fixed_alpha(bad);
    EXPECT_THAT(ResolveAlphas(fixed), FailsWith(StatusCode::kInvalidArgument, "BAD_ALPHA")) << bad;
  }
  v1::PatchJobSpec twice;
  twice.add_alphas(0.5);
  twice.add_alphas(0.5);
  EXPECT_THAT(ResolveAlphas(twice), FailsWith(StatusCode::kInvalidArgument, "DUPLICATE_ALPHA"));
  v1::PatchJobSpec budget;
  budget.mutable_alpha_policy()->mutable_budget()->set_epsilon_points(-1);
  EXPECT_THAT(ResolveAlphas(budget), FailsWith(StatusCode::kInvalidArgument, "BAD_EPSILON"));
}

}  // namespace
}  // namespace modelpatch::server
