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
