#include "server/patch_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/store/sqlite_metadata_store.h"
#include "server/patch_messages.h"
#include "tests/support/fakes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::server {
namespace {

using absl::StatusCode;
using testing::FailsWith;

class PatchPlannerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(store_, store::OpenSqliteMetadataStore(scratch_.Path("metadata.db")));
    ASSERT_OK(store_->InsertModel({"m", "model-digest", "{}", clock_.Now()}));
    ASSERT_OK(store_->InsertTask({"extra", "digest", "{}", "{}", clock_.Now()}));
    resolver_ = std::make_unique<MixtureResolver>(*store_, "/models");
    planner_ = std::make_unique<PatchPlanner>(*store_, *resolver_);
    AddJob("j", "model-digest");
    ASSERT_OK(store_->InsertCheckpoint({"merged", "m", "blob-merged", "{}", "", clock_.Now()}));
    request_.set_patch_id("p");
  }

  // A job that has succeeded, with a checkpoint, two α on its curve, and no test data.
  void AddJob(const std::string& id, const std::string& model_digest) {
    v1::PatchJob stored;
    stored.mutable_lineage()->set_model_digest(model_digest);
    v1::PatchJobResult result;
    result.set_alpha(0.5);
    for (const double alpha : {0.0, 0.5}) {
      v1::SweepPoint& point = *result.add_points();
      point.set_alpha(alpha);
      *point.mutable_mixture() = MixtureOf(id, alpha);
      for (const auto& [task, role] :
           {std::pair("tasks/digits", v1::TASK_ROLE_PATCHING), {"tasks/colors", v1::TASK_ROLE_SUPPORTED}}) {
        v1::TaskAccuracy& accuracy = *point.add_accuracies();
        accuracy.set_task(task);
        accuracy.set_role(role);
        accuracy.set_split(v1::SPLIT_VALIDATION);
        accuracy.set_correct(50);
        accuracy.set_total(100);
      }
    }
    *result.mutable_mixture() = MixtureOf(id, 0.5);
    store::JobRecord job;
    job.id = id;
    job.spec = stored.SerializeAsString();
    job.create_time = clock_.Now();
    store::StepRecord step;
    step.job_id = id;
    step.name = "fine-tune";
    step.state = store::StepState::kQueued;
    ASSERT_OK(store_->CreateJob(job, {step}));
    job.state = store::JobState::kRunning;
    const store::CheckpointRecord checkpoint{id, "m", "blob-" + id, "{}", id, clock_.Now()};
    ASSERT_OK_AND_ASSIGN(job.revision, store_->CommitTransition(job, {}, {checkpoint}));
    job.state = store::JobState::kSucceeded;
    job.result = result.SerializeAsString();
    ASSERT_OK(store_->CommitTransition(job, {}, {}));
  }

  static v1::Mixture MixtureOf(const std::string& checkpoint, double coefficient) {
    v1::Mixture mixture;
    auto* term = mixture.add_terms();
    term->set_checkpoint("checkpoints/" + checkpoint);
    term->set_coefficient(coefficient);
    return mixture;
  }

  absl::StatusOr<v1::PatchVersion> Plan() {
    MP_ASSIGN_OR_RETURN(const store::PatchVersionRecord record, planner_->Plan(request_, clock_.Now()));
    return ToMessage(record);
  }
  void ExpectRefused(StatusCode code, const char* reason, const char* field) {
    const auto version = Plan();
    EXPECT_THAT(version, FailsWith(code, reason));
    EXPECT_EQ(base::FieldOf(version.status()), field);
  }

  const testing::ScratchDirectory scratch_;
  testing::FakeClock clock_;
  std::unique_ptr<store::MetadataStore> store_;
  std::unique_ptr<MixtureResolver> resolver_;
  std::unique_ptr<PatchPlanner> planner_;
  v1::CreatePatchRequest request_;
};

TEST_F(PatchPlannerTest, AJobGivesMixtureAndEvaluation) {
  request_.set_patch_job("patchJobs/j");
  ASSERT_OK_AND_ASSIGN(const v1::PatchVersion version, Plan());
  EXPECT_EQ(version.mixture().model(), "models/m");
  EXPECT_EQ(version.mixture().terms(0).coefficient(), 0.5);
  EXPECT_EQ(version.weights().model_digest(), "model-digest");
  EXPECT_EQ(version.weights().terms(0).blob_digest(), "blob-j");
  EXPECT_EQ(version.evaluation().patch_job(), "patchJobs/j");
  ASSERT_EQ(version.budgets_size(), 1);
  EXPECT_EQ(version.budgets(0).task(), "tasks/colors");
  EXPECT_EQ(version.budgets(0).epsilon_points(), 1);
}

TEST_F(PatchPlannerTest, TheJobOfTheCheckpointIsFound) {
  *request_.mutable_mixture() = MixtureOf("j", 0.5);
  EXPECT_EQ(Plan().value().evaluation().patch_job(), "patchJobs/j");
  *request_.mutable_mixture() = MixtureOf("j", 0.4);
  EXPECT_FALSE(Plan().value().has_evaluation());
  *request_.mutable_mixture() = MixtureOf("merged", 0.5);
  EXPECT_FALSE(Plan().value().has_evaluation());
  ASSERT_OK(store_->DeleteJob("j"));
  *request_.mutable_mixture() = MixtureOf("j", 0.5);
  EXPECT_FALSE(Plan().value().has_evaluation());
}

TEST_F(PatchPlannerTest, AJobThatIsAskedMustHaveMeasuredTheMixture) {
  request_.set_patch_job("patchJobs/j");
  for (const v1::Mixture& mixture : {MixtureOf("j", 0.4), MixtureOf("merged", 0.5)}) {
    *request_.mutable_mixture() = mixture;
    ExpectRefused(StatusCode::kFailedPrecondition, "MIXTURE_NOT_MEASURED", "patch_job");
  }
  // A checkpoint with the name of the job's own, which was deleted, is another one.
  request_.clear_mixture();
  ASSERT_OK(store_->DeleteCheckpoint("j"));
  ExpectRefused(StatusCode::kNotFound, "CHECKPOINT_NOT_FOUND", "patch_job");
  ASSERT_OK(store_->InsertCheckpoint({"j", "m", "other-blob", "{}", "", clock_.Now()}));
  ExpectRefused(StatusCode::kFailedPrecondition, "MIXTURE_NOT_MEASURED", "patch_job");
  *request_.mutable_mixture() = MixtureOf("j", 0.5);
  request_.clear_patch_job();
  EXPECT_FALSE(Plan().value().has_evaluation());
  // What was measured with another model says nothing of this one.
  AddJob("k", "another-digest");
  *request_.mutable_mixture() = MixtureOf("k", 0.5);
  EXPECT_FALSE(Plan().value().has_evaluation());
}

TEST_F(PatchPlannerTest, BudgetsAreForAllTasksOrForOne) {
  request_.set_patch_job("patchJobs/j");
  request_.set_epsilon_points(0.25);
  EXPECT_EQ(Plan().value().budgets(0).epsilon_points(), 0.25);
  v1::TaskBudget& one = *request_.add_budgets();
  one.set_task("tasks/colors");
  one.set_epsilon_points(3);
  v1::TaskBudget& other = *request_.add_budgets();
  other.set_task("tasks/extra");
  other.set_epsilon_points(0);
  ASSERT_OK_AND_ASSIGN(const v1::PatchVersion version, Plan());
  ASSERT_EQ(version.budgets_size(), 2);
  EXPECT_EQ(version.budgets(0).epsilon_points(), 3);
  EXPECT_EQ(version.budgets(1).task(), "tasks/extra");
}

TEST_F(PatchPlannerTest, RefusesBadBudgets) {
  request_.set_patch_job("patchJobs/j");
  for (const double bad : {-0.1, 100.5, std::nan(""), HUGE_VAL}) {
    request_.set_epsilon_points(bad);
    ExpectRefused(StatusCode::kInvalidArgument, "BAD_EPSILON", "epsilon_points");
  }
  request_.clear_epsilon_points();
  v1::TaskBudget& budget = *request_.add_budgets();
  budget.set_task("tasks/unknown");
  ExpectRefused(StatusCode::kNotFound, "TASK_NOT_FOUND", "budgets[0].task");
  budget.set_task("unknown");
  ExpectRefused(StatusCode::kInvalidArgument, "BAD_RESOURCE_NAME", "budgets[0].task");
  budget.set_task("tasks/extra");
  budget.set_epsilon_points(-1);
  ExpectRefused(StatusCode::kInvalidArgument, "BAD_EPSILON", "budgets[0].epsilon_points");
  budget.set_epsilon_points(1);
  *request_.add_budgets() = budget;
  ExpectRefused(StatusCode::kInvalidArgument, "DUPLICATE_TASK", "budgets[1].task");
  for (int i = 0; i < 99; ++i) *request_.add_budgets() = budget;
  ExpectRefused(StatusCode::kInvalidArgument, "TOO_MANY_TASKS", "budgets");
}

TEST_F(PatchPlannerTest, RefusesBadMixturesAndJobs) {
  ExpectRefused(StatusCode::kInvalidArgument, "NO_TERMS", "mixture.terms");
  request_.mutable_mixture()->set_model("models/m");
  ExpectRefused(StatusCode::kInvalidArgument, "NO_TERMS", "mixture.terms");
  *request_.mutable_mixture() = MixtureOf("j", 1.5);
  ExpectRefused(StatusCode::kInvalidArgument, "BAD_COEFFICIENT", "mixture.terms[0].coefficient");
  *request_.mutable_mixture() = MixtureOf("unknown", 0.5);
  ExpectRefused(StatusCode::kNotFound, "CHECKPOINT_NOT_FOUND", "mixture.terms[0].checkpoint");
  *request_.mutable_mixture() = MixtureOf("j", 0.5);
  request_.set_patch_job("patchJobs/unknown");
  ExpectRefused(StatusCode::kNotFound, "PATCH_JOB_NOT_FOUND", "patch_job");
  request_.set_patch_job("j");
  ExpectRefused(StatusCode::kInvalidArgument, "BAD_RESOURCE_NAME", "patch_job");
  store::JobRecord waiting;
  waiting.id = "waiting";
  waiting.create_time = clock_.Now();
  store::StepRecord step;
  step.job_id = "waiting";
  step.name = "fine-tune";
  step.state = store::StepState::kQueued;
  ASSERT_OK(store_->CreateJob(waiting, {step}));
  request_.set_patch_job("patchJobs/waiting");
  ExpectRefused(StatusCode::kFailedPrecondition, "JOB_NOT_SUCCEEDED", "patch_job");
  request_.clear_patch_job();
  for (const char* bad : {"", "P", "a@3", "..", "a/b"}) {
    request_.set_patch_id(bad);
    ExpectRefused(StatusCode::kInvalidArgument, "BAD_RESOURCE_ID", "patch_id");
  }
}

}  // namespace
}  // namespace modelpatch::server
