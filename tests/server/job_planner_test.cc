#include "server/job_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/store/sqlite_metadata_store.h"
#include "server/job_messages.h"
#include "server/record_messages.h"
#include "tests/support/fakes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::server {
namespace {

using absl::StatusCode;
using testing::FailsWith;

class JobPlannerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(store_, store::OpenSqliteMetadataStore(scratch_.Path("metadata.db")));
    store::ModelRecord model;
    model.id = "m";
    model.digest = "model-digest";
    v1::Model message;
    message.set_layout_digest("layout");
    message.set_image_encoder_parameters(1'000'000);
    message.set_image_size_pixels(32);
    message.set_patch_size_pixels(8);
    message.set_embedding_dimension(64);
    model.details_json = ToRecordJson(message);
    model.create_time = clock_.Now();
    ASSERT_OK(store_->InsertModel(model));
    AddTask("digits", 10, 100);
    AddTask("shapes", 10, 100);
    AddTask("letters", 26, 100);
    AddTask("one-class", 1, 100);
    AddTask("untrained", 10, 0);
    resolver_ = std::make_unique<MixtureResolver>(*store_, "/models");
    planner_ =
        std::make_unique<JobPlanner>(*store_, *resolver_, JobPaths{"/jobs", "/tasks", "/blobs"}, data::DecodeLimits{},
                                     std::vector<sched::Device>{{"cpu", int64_t{1} << 34, 1}});
    request_.set_patch_job_id("job");
    v1::PatchJobSpec& spec = *request_.mutable_patch_job()->mutable_spec();
    spec.set_model("models/m");
    spec.add_patching_tasks("tasks/digits");
    spec.add_supported_tasks("tasks/shapes");
  }

  void AddTask(const std::string& id, int classes, int train) {
    v1::Task message;
    for (int i = 0; i < classes; ++i) message.add_class_names(std::to_string(i));
    message.set_train_examples(train);
    message.set_validation_examples(10);
    message.set_test_examples(10);
    store::TaskRecord task;
    task.id = id;
    task.digest = id + "-digest";
    data::TaskSource source;
    source.format = "idx";
    source.train = id + "-key/train";
    task.source_json = data::TaskSourceToJson(source);
    task.details_json = ToRecordJson(message);
    task.create_time = clock_.Now();
    ASSERT_OK(store_->InsertTask(task));
  }

  v1::PatchJobSpec& spec() { return *request_.mutable_patch_job()->mutable_spec(); }
  absl::StatusOr<PlannedJob> Plan() { return planner_->Plan(request_, clock_.Now()); }

  testing::ScratchDirectory scratch_;
  testing::FakeClock clock_;
  std::unique_ptr<store::MetadataStore> store_;
  std::unique_ptr<MixtureResolver> resolver_;
  std::unique_ptr<JobPlanner> planner_;
  v1::CreatePatchJobRequest request_;
};

TEST_F(JobPlannerTest, PlansTwoStepsThatTheWorkersUnderstand) {
  ASSERT_OK_AND_ASSIGN(const PlannedJob planned, Plan());
  ASSERT_EQ(planned.steps.size(), 2u);
  EXPECT_EQ(planned.steps[0].state, store::StepState::kQueued);
  EXPECT_EQ(planned.steps[1].state, store::StepState::kWaiting);
  EXPECT_EQ(planned.steps[1].depends_on, std::vector<int>{0});
  EXPECT_GT(planned.steps[0].lease_bytes, 4'000'000);
  ASSERT_OK_AND_ASSIGN(const train::StepSpec first, train::StepSpecFromJson(planned.steps[0].spec));
  const auto& fine_tune = std::get<train::FineTuneSpec>(first.work);
  EXPECT_EQ(fine_tune.model_directory, "/models/model-digest");
  ASSERT_EQ(fine_tune.tasks.size(), 1u);
  EXPECT_EQ(fine_tune.tasks[0].source.train, "/tasks/digits-key/train");
  EXPECT_EQ(fine_tune.start_directory, "");
  EXPECT_EQ(fine_tune.options.steps, 2000);
  ASSERT_OK_AND_ASSIGN(const train::StepSpec second, train::StepSpecFromJson(planned.steps[1].spec));
  const auto& search = std::get<train::SearchSpec>(second.work);
  EXPECT_THAT(search.fine_tune_directories, ::testing::ElementsAre("/jobs/job/0-fine-tune"));
  EXPECT_TRUE(search.comparison.has_value());
  EXPECT_EQ(search.supported_tasks.at(0).name, "shapes");
  EXPECT_EQ(search.alphas.size(), 21u);
}

TEST_F(JobPlannerTest, TheStoredJobHasDefaultsAndLineage) {
  ASSERT_OK_AND_ASSIGN(const PlannedJob planned, Plan());
  ASSERT_OK_AND_ASSIGN(const v1::PatchJob stored, StoredJob(planned.job));
  EXPECT_EQ(stored.spec().strategy(), v1::STRATEGY_SINGLE);
  EXPECT_EQ(stored.spec().fine_tune().batch_size(), 128);
  EXPECT_EQ(stored.lineage().model_digest(), "model-digest");
  ASSERT_EQ(stored.lineage().tasks_size(), 2);
  EXPECT_EQ(stored.lineage().tasks(0).digest(), "digits-digest");
  EXPECT_EQ(stored.lineage().tasks(1).role(), v1::TASK_ROLE_SUPPORTED);
  EXPECT_FALSE(stored.lineage().code_version().empty());
  EXPECT_EQ(planned.job.uses.size(), 3u);
}

TEST_F(JobPlannerTest, AJobWithoutAnIdGetsOne) {
  request_.clear_patch_job_id();
  ASSERT_OK_AND_ASSIGN(const PlannedJob first, Plan());
  ASSERT_OK_AND_ASSIGN(const PlannedJob second, Plan());
  EXPECT_NE(first.job.id, second.job.id);
  EXPECT_EQ(first.job.request_digest, second.job.request_digest);
  spec().mutable_fine_tune()->set_seed(1);
  ASSERT_OK_AND_ASSIGN(const PlannedJob other, Plan());
  EXPECT_NE(first.job.request_digest, other.job.request_digest);
}

TEST_F(JobPlannerTest, RefusesTasksThatCannotWork) {
  spec().set_patching_tasks(0, "tasks/one-class");
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kFailedPrecondition, "TASK_OF_ONE_CLASS"));
  EXPECT_EQ(base::FieldOf(Plan().status()), "patch_job.spec.patching_tasks[0]");
  spec().set_patching_tasks(0, "tasks/untrained");
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kFailedPrecondition, "EMPTY_SPLIT"));
  spec().set_patching_tasks(0, "tasks/nothing");
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kNotFound, "TASK_NOT_FOUND"));
  spec().set_patching_tasks(0, "digits");
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "BAD_RESOURCE_NAME"));
  spec().set_patching_tasks(0, "tasks/shapes");
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "DUPLICATE_TASK"));
  spec().set_patching_tasks(0, "tasks/digits");
  spec().set_supported_tasks(0, "tasks/untrained");
  EXPECT_OK(Plan());
}

TEST_F(JobPlannerTest, AStrategyTakesItsNumberOfTasks) {
  spec().set_strategy(v1::STRATEGY_JOINT);
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "TOO_FEW_TASKS"));
  spec().set_strategy(v1::STRATEGY_SINGLE);
  spec().add_patching_tasks("tasks/letters");
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "TOO_MANY_TASKS"));
  EXPECT_EQ(base::FieldOf(Plan().status()), "patch_job.spec.patching_tasks");
  spec().clear_patching_tasks();
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "NO_TASKS"));
  spec().set_strategy(static_cast<v1::Strategy>(77));
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "BAD_STRATEGY"));
}

TEST_F(JobPlannerTest, WhatBelongsToOneStrategyIsRefusedByTheOthers) {
  spec().add_patching_tasks("tasks/letters");
  spec().set_strategy(v1::STRATEGY_JOINT);
  spec().set_order_seed(1);
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "UNEXPECTED_FIELD"));
  EXPECT_EQ(base::FieldOf(Plan().status()), "patch_job.spec.order_seed");
  spec().clear_order_seed();
  spec().mutable_coefficient_search()->mutable_exhaustive();
  EXPECT_EQ(base::FieldOf(Plan().status()), "patch_job.spec.coefficient_search");
  spec().set_strategy(v1::STRATEGY_PARALLEL);
  EXPECT_OK(Plan());
  spec().mutable_merge()->mutable_ties();
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "UNEXPECTED_FIELD"));
}

TEST_F(JobPlannerTest, CoefficientsOutsideTheirSpaceAreRefused) {
  spec().add_patching_tasks("tasks/letters");
  spec().set_strategy(v1::STRATEGY_PARALLEL);
  auto& exhaustive = *spec().mutable_coefficient_search()->mutable_exhaustive();
  exhaustive.add_coefficients(0.5);
  exhaustive.add_coefficients(1.5);
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "BAD_SEARCH_OPTION"));
  EXPECT_EQ(base::FieldOf(Plan().status()), "patch_job.spec.coefficient_search.exhaustive.coefficients[1]");
  exhaustive.set_coefficients(1, 1);
  ASSERT_OK_AND_ASSIGN(const PlannedJob planned, Plan());
  ASSERT_OK_AND_ASSIGN(const v1::PatchJob stored, StoredJob(planned.job));
  EXPECT_THAT(stored.spec().coefficient_search().exhaustive().coefficients(), ::testing::ElementsAre(0, 0.5, 1));
}

TEST_F(JobPlannerTest, NamesOfAllItsCheckpointsMustBeFree) {
  spec().add_patching_tasks("tasks/letters");
  spec().set_strategy(v1::STRATEGY_SEQUENTIAL);
  store::CheckpointRecord checkpoint;
  checkpoint.id = "job-uninterpolated-2";
  checkpoint.model_id = "m";
  checkpoint.blob_digest = "b";
  checkpoint.manifest_json = "{}";
  checkpoint.create_time = clock_.Now();
  ASSERT_OK(store_->InsertCheckpoint(checkpoint));
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kAlreadyExists, "CHECKPOINT_ALREADY_EXISTS"));
  spec().set_skip_comparisons(true);
  EXPECT_OK(Plan());
  request_.set_patch_job_id(std::string(62, 'j'));
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "BAD_RESOURCE_ID"));
}

TEST_F(JobPlannerTest, NamesThatAnUnfinishedJobWillGiveAreTaken) {
  request_.set_patch_job_id("job-2");
  ASSERT_OK_AND_ASSIGN(const PlannedJob waiting, Plan());
  ASSERT_OK(store_->CreateJob(waiting.job, waiting.steps));
  request_.set_patch_job_id("job");
  EXPECT_OK(Plan());
  spec().add_patching_tasks("tasks/letters");
  spec().set_strategy(v1::STRATEGY_PARALLEL);
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kAlreadyExists, "NAME_HELD_BY_PATCH_JOB"));
  EXPECT_EQ(base::FieldOf(Plan().status()), "patch_job_id");
  request_.set_patch_job_id("job-2-b");
  EXPECT_OK(Plan());
}

TEST_F(JobPlannerTest, ExistingCheckpointsAreMixedInOneStep) {
  for (const char* id : {"first", "second"}) {
    store::CheckpointRecord checkpoint;
    checkpoint.id = id;
    checkpoint.model_id = "m";
    checkpoint.blob_digest = std::string("blob-") + id;
    checkpoint.manifest_json = "{}";
    checkpoint.create_time = clock_.Now();
    ASSERT_OK(store_->InsertCheckpoint(checkpoint));
  }
  spec().set_strategy(v1::STRATEGY_PARALLEL);
  spec().add_checkpoints("checkpoints/first");
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "TOO_FEW_CHECKPOINTS"));
  spec().add_checkpoints("checkpoints/first");
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "DUPLICATE_CHECKPOINT"));
  spec().set_checkpoints(1, "checkpoints/second");
  ASSERT_OK_AND_ASSIGN(const PlannedJob planned, Plan());
  ASSERT_EQ(planned.steps.size(), 1u);
  ASSERT_OK_AND_ASSIGN(const train::StepSpec step, train::StepSpecFromJson(planned.steps[0].spec));
  EXPECT_THAT(std::get<train::SearchSpec>(step.work).blobs, ::testing::ElementsAre("blob-first", "blob-second"));
  EXPECT_EQ(planned.job.uses.size(), 5u);
}

TEST_F(JobPlannerTest, OnlyAFixedAlphaNeedsNoSupportedTask) {
  spec().clear_supported_tasks();
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "SUPPORTED_TASKS_REQUIRED"));
  spec().mutable_alpha_policy()->mutable_budget()->set_epsilon_points(1);
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "SUPPORTED_TASKS_REQUIRED"));
  spec().mutable_alpha_policy()->set_fixed_alpha(0.5);
  EXPECT_OK(Plan());
}

TEST_F(JobPlannerTest, RefusesOptionsWithTheirFields) {
  spec().mutable_fine_tune()->set_batch_size(0);
  EXPECT_EQ(base::FieldOf(Plan().status()), "patch_job.spec.fine_tune.batch_size");
  spec().clear_fine_tune();
  spec().set_model("models/unknown");
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kNotFound, "MODEL_NOT_FOUND"));
  EXPECT_EQ(base::FieldOf(Plan().status()), "patch_job.spec.model");
  request_.set_patch_job_id("../x");
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kInvalidArgument, "BAD_RESOURCE_ID"));
}

TEST_F(JobPlannerTest, TheJobsCheckpointMustNotBeAnothers) {
  store::CheckpointRecord checkpoint;
  checkpoint.id = "job";
  checkpoint.model_id = "m";
  checkpoint.blob_digest = "b";
  checkpoint.manifest_json = "{}";
  checkpoint.create_time = clock_.Now();
  ASSERT_OK(store_->InsertCheckpoint(checkpoint));
  EXPECT_THAT(Plan(), FailsWith(StatusCode::kAlreadyExists, "CHECKPOINT_ALREADY_EXISTS"));
}

}  // namespace
}  // namespace modelpatch::server
