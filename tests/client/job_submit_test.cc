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

TEST(JobSubmitTest, ANameThatIsNoneIsRefusedWithThoseThatThereAre) {
  try {
    Parse("--model m --patch-task t --strategy whole").IgnoreError();
    FAIL() << "it was taken";
  } catch (const CLI::ParseError& error) {
    EXPECT_STREQ(error.what(), "--strategy: 'whole' is none of joint, parallel, sequential, single");
  }
  // The number of a value is no name of it.
  EXPECT_THROW(Parse("--model m --patch-task t --strategy 2").IgnoreError(), CLI::ParseError);
}

TEST(JobSubmitTest, StrategiesAndWhatTheyTake) {
  const auto joint = Parse("--model m --patch-task a --patch-task b --strategy joint --task-balance even");
  ASSERT_TRUE(joint.ok());
  EXPECT_EQ(joint->patch_job().spec().strategy(), v1::STRATEGY_JOINT);
  EXPECT_EQ(joint->patch_job().spec().task_balance(), v1::TASK_BALANCE_EVEN);
  EXPECT_FALSE(joint->patch_job().spec().has_order_seed());
  EXPECT_FALSE(joint->patch_job().spec().has_coefficient_search());
  EXPECT_FALSE(joint->patch_job().spec().has_merge());

  const auto sequential =
      Parse("--model m --patch-task a --patch-task b --strategy sequential --order-seed 3 --skip-comparisons");
  ASSERT_TRUE(sequential.ok());
  EXPECT_EQ(sequential->patch_job().spec().order_seed(), 3);
  EXPECT_TRUE(sequential->patch_job().spec().skip_comparisons());

  const auto mixed = Parse("--model m --patch-task a --strategy parallel --checkpoint x --checkpoint checkpoints/y");
  ASSERT_TRUE(mixed.ok());
  ASSERT_EQ(mixed->patch_job().spec().checkpoints_size(), 2);
  EXPECT_EQ(mixed->patch_job().spec().checkpoints(0), "checkpoints/x");
  EXPECT_EQ(mixed->patch_job().spec().checkpoints(1), "checkpoints/y");
  EXPECT_FALSE(mixed->patch_job().spec().has_fine_tune());
}

TEST(JobSubmitTest, CoefficientSearches) {
  const auto search = [](const std::string& options) {
    const auto request = Parse("--model m --patch-task t --strategy parallel " + options);
    EXPECT_TRUE(request.ok()) << options << ": " << request.status();
    return request.ok() ? request->patch_job().spec().coefficient_search() : v1::CoefficientSearch();
  };
  EXPECT_TRUE(search("--search uniform --sum-at-most-one").has_uniform());
  EXPECT_TRUE(search("--search uniform --sum-at-most-one").sum_at_most_one());
  EXPECT_TRUE(search("--sum-at-most-one").sum_at_most_one());
  EXPECT_TRUE(search("--search exhaustive").has_exhaustive());
  EXPECT_EQ(search("--search exhaustive --search-grid 0:1:0.25").exhaustive().coefficients_size(), 5);
  const v1::CoefficientSearch black_box = search("--search black-box --search-evaluations 20 --search-seed 4");
  EXPECT_EQ(black_box.black_box().maximum_evaluations(), 20);
  EXPECT_EQ(black_box.black_box().seed(), 4);
  EXPECT_FALSE(search("--search black-box").black_box().has_maximum_evaluations());
  const v1::CoefficientSearch gradient = search(
      "--search gradient --search-steps 9 --search-learning-rate 0.1 --search-batch-size 32 --coefficient-group layer");
  EXPECT_EQ(gradient.gradient().steps(), 9);
  EXPECT_EQ(gradient.gradient().learning_rate(), 0.1);
  EXPECT_EQ(gradient.gradient().batch_size(), 32);
  EXPECT_EQ(gradient.gradient().group(), v1::COEFFICIENT_GROUP_LAYER);
}

TEST(JobSubmitTest, Merges) {
  const auto merge = [](const std::string& options) {
    const auto request = Parse("--model m --patch-task t --strategy parallel " + options);
    EXPECT_TRUE(request.ok()) << options << ": " << request.status();
    return request.ok() ? request->patch_job().spec().merge() : v1::Merge();
  };
  EXPECT_TRUE(merge("--merge task-arithmetic").has_task_arithmetic());
  EXPECT_EQ(merge("--merge ties --density 0.3").ties().density(), 0.3);
  EXPECT_FALSE(merge("--merge ties").ties().has_density());
  EXPECT_EQ(merge("--merge dare --drop-rate 0.5 --merge-seed 2").dare().drop_rate(), 0.5);
  EXPECT_EQ(merge("--merge dare --drop-rate 0.5 --merge-seed 2").dare().seed(), 2);
  EXPECT_EQ(merge("--merge fisher --fisher-examples 50").fisher().examples(), 50);
  EXPECT_TRUE(merge("--merge slerp").has_slerp());
}

TEST(JobSubmitTest, AnOptionOfAnotherMethodIsRefusedAndNotIgnored) {
  for (const char* options :
       {"--search-grid 0:1:0.5", "--search gradient --search-grid 0:1:0.5", "--search uniform --search-seed 1",
        "--search exhaustive --search-steps 3", "--search black-box --coefficient-group block", "--density 0.5",
        "--merge dare --density 0.5", "--merge slerp --fisher-examples 3", "--merge ties --merge-seed 1"}) {
    const auto request = Parse(std::string("--model m --patch-task t ") + options);
    EXPECT_TRUE(absl::IsInvalidArgument(request.status())) << options;
  }
  EXPECT_TRUE(
      absl::IsInvalidArgument(Parse("--model m --patch-task t --search exhaustive --search-grid 1:0:1").status()));
  EXPECT_THROW(Parse("--model m --patch-task t --search best").IgnoreError(), CLI::ParseError);
  EXPECT_THROW(Parse("--model m --patch-task t --merge best").IgnoreError(), CLI::ParseError);
}

TEST(JobSubmitTest, Alternatives) {
  const auto request = Parse(
      "--model m --patch-task t --schedule constant --label-smoothing 0.1 --snapshot-interval-steps 50 "
      "--ema-decay 0.99 --l2-penalty 0.5 --ewc-weight 100 --ewc-task shapes --ewc-examples 20 "
      "--contrastive-weight 0.3 --contrastive-task colors --learned-head");
  ASSERT_TRUE(request.ok()) << request.status();
  const v1::FineTuneOptions& options = request->patch_job().spec().fine_tune();
  EXPECT_EQ(options.schedule(), v1::LEARNING_RATE_SCHEDULE_CONSTANT);
  EXPECT_EQ(options.label_smoothing(), 0.1);
  EXPECT_EQ(options.snapshot_interval_steps(), 50);
  EXPECT_EQ(options.ema_decay(), 0.99);
  EXPECT_EQ(options.l2_penalty(), 0.5);
  EXPECT_EQ(options.elastic_weight_consolidation().weight(), 100);
  EXPECT_EQ(options.elastic_weight_consolidation().task(), "tasks/shapes");
  EXPECT_EQ(options.elastic_weight_consolidation().examples(), 20);
  EXPECT_EQ(options.contrastive_mixing().weight(), 0.3);
  EXPECT_EQ(options.contrastive_mixing().task(), "tasks/colors");
  EXPECT_TRUE(options.learned_head());
}

TEST(JobSubmitTest, WithoutAlternativesNoneIsSent) {
  const auto request = Parse("--model m --patch-task t");
  ASSERT_TRUE(request.ok());
  const v1::FineTuneOptions& options = request->patch_job().spec().fine_tune();
  EXPECT_FALSE(options.has_ema_decay());
  EXPECT_FALSE(options.has_snapshot_interval_steps());
  EXPECT_FALSE(options.has_elastic_weight_consolidation());
  EXPECT_FALSE(options.has_contrastive_mixing());
  EXPECT_FALSE(options.learned_head());
}

TEST(JobSubmitTest, WhatBelongsTogetherIsGivenTogether) {
  for (const char* options : {"--ewc-weight 1", "--ewc-task t", "--ewc-weight 1 --ewc-examples 3",
                              "--contrastive-task t", "--ewc-examples 3"}) {
    EXPECT_THROW(Parse(std::string("--model m --patch-task t ") + options).IgnoreError(), CLI::ParseError) << options;
  }
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
