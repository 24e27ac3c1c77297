#include "client/cli/job_submit.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace modelpatch::client {
namespace {

absl::StatusOr<v1::CreatePatchJobRequest> Parse(const std::string& line) {
  CLI::App app;
  SubmitOptions options;
  AddSubmitOptions(app, options);
  app.parse(line);
  return RequestOf(options);
}

TEST(JobSubmitTest, SendsOnlyWhatWasSaid) {
  const auto request =
      Parse("--model m --patch-task digits --supported-task shapes --supported-task colors --steps 10");
  ASSERT_TRUE(request.ok());
  const v1::PatchJobSpec& spec = request->patch_job().spec();
  EXPECT_EQ(spec.model(), "models/m");
  ASSERT_EQ(spec.patching_tasks_size(), 1);
  EXPECT_EQ(spec.patching_tasks(0), "tasks/digits");
  ASSERT_EQ(spec.supported_tasks_size(), 2);
  EXPECT_EQ(spec.supported_tasks(1), "tasks/colors");
  EXPECT_EQ(spec.alpha_policy().policy_case(), v1::AlphaPolicy::kMean);
  EXPECT_EQ(spec.strategy(), v1::STRATEGY_SINGLE);
  EXPECT_TRUE(spec.alphas().empty());
  EXPECT_EQ(spec.fine_tune().steps(), 10);
  EXPECT_FALSE(spec.fine_tune().has_batch_size());
  EXPECT_FALSE(spec.fine_tune().has_augment());
}

TEST(JobSubmitTest, Policies) {
  EXPECT_EQ(Parse("--model m --patch-task t --alpha-policy budget --epsilon 2")
                ->patch_job()
                .spec()
                .alpha_policy()
                .budget()
                .epsilon_points(),
            2);
  EXPECT_EQ(Parse("--model m --patch-task t --alpha-policy fixed")->patch_job().spec().alpha_policy().fixed_alpha(), 1);
  EXPECT_EQ(Parse("--model m --patch-task t --alpha-policy fixed --alpha 0.3")
                ->patch_job()
                .spec()
                .alpha_policy()
                .fixed_alpha(),
            0.3);
  EXPECT_THROW(Parse("--model m --patch-task t --alpha-policy best").IgnoreError(), CLI::ParseError);
}

TEST(JobSubmitTest, AlphasAndNames) {
  const auto request =
      Parse("--model m --patch-task t --alphas 0:1:0.5 --name my-job --request-id r --no-augment --seed 7");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->patch_job().spec().alphas_size(), 3);
  EXPECT_EQ(request->patch_job_id(), "my-job");
  EXPECT_EQ(request->request_id(), "r");
  EXPECT_TRUE(request->patch_job().spec().fine_tune().has_augment());
  EXPECT_FALSE(request->patch_job().spec().fine_tune().augment());
  EXPECT_EQ(request->patch_job().spec().fine_tune().seed(), 7);
  EXPECT_TRUE(absl::IsInvalidArgument(Parse("--model m --patch-task t --alphas 1:0:1").status()));
}

}  // namespace
}  // namespace modelpatch::client
