#include "server/patch_evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using testing::FailsWith;
using ::testing::HasSubstr;
using ::testing::Not;

v1::Mixture MixtureOf(const std::string& checkpoint, double coefficient) {
  v1::Mixture mixture;
  mixture.set_model("models/m");
  auto* term = mixture.add_terms();
  term->set_checkpoint(checkpoint);
  term->set_coefficient(coefficient);
  return mixture;
}

void Fill(v1::TaskAccuracy& accuracy, const char* task, v1::TaskRole role, v1::Split split, int correct) {
  accuracy.set_task(task);
  accuracy.set_role(role);
  accuracy.set_split(split);
  accuracy.set_correct(correct);
  accuracy.set_total(1000);
  accuracy.set_accuracy(correct / 1000.0);
}

// At α: digits (patching) have 400 + 500·α of 1,000 right, colors (supported) 990 − 40·α; three fewer on test data.
v1::PatchJob MakeJob() {
  v1::PatchJob job;
  job.set_name("patchJobs/j");
  job.mutable_lineage()->add_tasks()->set_task("tasks/colors");
  v1::PatchJobResult& result = *job.mutable_result();
  result.set_alpha(0.5);
  *result.mutable_mixture() = MixtureOf("checkpoints/j", 0.5);
  const auto digits = [](double alpha) { return static_cast<int>(400 + 500 * alpha); };
  const auto colors = [](double alpha) { return static_cast<int>(990 - 40 * alpha); };
  for (const double alpha : {0.0, 0.25, 0.5, 1.0}) {
    v1::SweepPoint& point = *result.add_points();
    point.set_alpha(alpha);
    *point.mutable_mixture() = MixtureOf("checkpoints/j", alpha);
    Fill(*point.add_accuracies(), "tasks/digits", v1::TASK_ROLE_PATCHING, v1::SPLIT_VALIDATION, digits(alpha));
    Fill(*point.add_accuracies(), "tasks/colors", v1::TASK_ROLE_SUPPORTED, v1::SPLIT_VALIDATION, colors(alpha));
  }
  v1::FinalAccuracy& last = *result.add_final_accuracies();
  Fill(*last.mutable_zero_shot(), "tasks/colors", v1::TASK_ROLE_SUPPORTED, v1::SPLIT_TEST, colors(0));
  Fill(*last.mutable_patched(), "tasks/colors", v1::TASK_ROLE_SUPPORTED, v1::SPLIT_TEST, colors(0.5) - 3);
  Fill(*last.mutable_fine_tuned(), "tasks/colors", v1::TASK_ROLE_SUPPORTED, v1::SPLIT_TEST, colors(1) - 3);
  return job;
}

v1::PatchVersion VersionAt(double alpha, double epsilon_points) {
  v1::PatchVersion version;
  version.set_name("patches/p@1");
  if (const auto evaluation = EvaluationAt(MakeJob(), MixtureOf("checkpoints/j", alpha))) {
    *version.mutable_evaluation() = *evaluation;
  }
  v1::TaskBudget& budget = *version.add_budgets();
  budget.set_task("tasks/colors");
  budget.set_epsilon_points(epsilon_points);
  return version;
}

TEST(EvaluationAtTest, HasWhatTheJobMeasuredThere) {
  const auto chosen = EvaluationAt(MakeJob(), MixtureOf("checkpoints/j", 0.5));
  ASSERT_TRUE(chosen.has_value());
  EXPECT_EQ(chosen->patch_job(), "patchJobs/j");
  EXPECT_EQ(chosen->tasks(0).task(), "tasks/colors");
  ASSERT_EQ(chosen->accuracies_size(), 3);
  EXPECT_EQ(chosen->accuracies(0).zero_shot().correct(), 400);
  EXPECT_EQ(chosen->accuracies(0).patched().correct(), 650);
  EXPECT_EQ(chosen->accuracies(2).patched().split(), v1::SPLIT_TEST);
  EXPECT_EQ(chosen->accuracies(2).zero_shot().split(), v1::SPLIT_TEST);
  EXPECT_EQ(chosen->accuracies(2).patched().correct(), 967);
  // On the curve, but not chosen: validation data alone.
  const auto quarter = EvaluationAt(MakeJob(), MixtureOf("checkpoints/j", 0.25));
  ASSERT_TRUE(quarter.has_value());
  EXPECT_EQ(quarter->accuracies_size(), 2);
}

TEST(EvaluationAtTest, TermsOfOneCheckpointAddUp) {
  v1::Mixture mixture = MixtureOf("checkpoints/j", 0.1);
  for (int i = 0; i < 4; ++i) *mixture.add_terms() = mixture.terms(0);
  EXPECT_TRUE(EvaluationAt(MakeJob(), mixture).has_value());
  mixture.add_terms()->set_checkpoint("checkpoints/other");  // times 0
  EXPECT_TRUE(EvaluationAt(MakeJob(), mixture).has_value());
}

TEST(EvaluationAtTest, OtherMixturesWereNotMeasured) {
  EXPECT_FALSE(EvaluationAt(MakeJob(), MixtureOf("checkpoints/j", 0.3)).has_value());
  EXPECT_FALSE(EvaluationAt(MakeJob(), MixtureOf("checkpoints/k", 0.5)).has_value());
  EXPECT_FALSE(EvaluationAt(v1::PatchJob(), MixtureOf("checkpoints/j", 0.5)).has_value());
}

TEST(CheckBudgetsTest, TestDataCountWhereTheyWereMeasured) {
  // 20 of 1,000 on validation data, 23 on test data.
  EXPECT_OK(CheckBudgets(VersionAt(0.5, 2.3)));
  const absl::Status over = CheckBudgets(VersionAt(0.5, 2.2));
  EXPECT_THAT(over, FailsWith(StatusCode::kFailedPrecondition, "PATCH_OVER_BUDGET"));
  EXPECT_THAT(std::string(over.message()),
              AllOf(HasSubstr("patches/p@1"), HasSubstr("tasks/colors loses 2.30 points"), HasSubstr("budget 2.2"),
                    HasSubstr("test"), HasSubstr("override_budget")));
  // 10 of 1,000 on validation data, exactly the budget.
  EXPECT_OK(CheckBudgets(VersionAt(0.25, 1)));
  EXPECT_THAT(CheckBudgets(VersionAt(0.25, 0.9)), FailsWith(StatusCode::kFailedPrecondition, "PATCH_OVER_BUDGET"));
}

TEST(CheckBudgetsTest, WhatWasNotMeasuredIsNotKept) {
  const absl::Status none = CheckBudgets(VersionAt(0.3, 100));
  EXPECT_THAT(none, FailsWith(StatusCode::kFailedPrecondition, "PATCH_NOT_EVALUATED"));
  v1::PatchVersion version = VersionAt(0.5, 100);
  version.add_budgets()->set_task("tasks/unmeasured");
  const absl::Status partly = CheckBudgets(version);
  EXPECT_THAT(partly, FailsWith(StatusCode::kFailedPrecondition, "PATCH_NOT_EVALUATED"));
  EXPECT_THAT(std::string(partly.message()), AllOf(HasSubstr("tasks/unmeasured"), Not(HasSubstr("tasks/colors"))));
  version.mutable_budgets(0)->set_epsilon_points(0);
  const absl::Status both = CheckBudgets(version);
  EXPECT_THAT(both, FailsWith(StatusCode::kFailedPrecondition, "PATCH_OVER_BUDGET"));
  EXPECT_THAT(std::string(both.message()), AllOf(HasSubstr("tasks/unmeasured"), HasSubstr("tasks/colors")));
}

TEST(CheckBudgetsTest, TheMessageStaysShort) {
  v1::PatchVersion version = VersionAt(0.5, 1);
  for (int i = 0; i < 100; ++i) version.add_budgets()->set_task("tasks/" + std::string(63, 'a'));
  const absl::Status status = CheckBudgets(version);
  EXPECT_THAT(std::string(status.message()), HasSubstr("and 90 more"));
  EXPECT_LT(status.message().size(), 3000u);
}

TEST(CheckBudgetsTest, AnEvaluationWithoutSupportedTasksHasNothingToLose) {
  v1::PatchVersion version = VersionAt(0.5, 1);
  version.clear_budgets();
  EXPECT_OK(CheckBudgets(version));
}

}  // namespace
}  // namespace modelpatch::server
