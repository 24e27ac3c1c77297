#include "core/sched/scheduler.h"

#include "tests/sched/scheduler_fixture.h"

namespace modelpatch::sched {
namespace {

using absl::StatusCode;
using testing::FailsWith;

TEST_F(SchedulerTest, RunsTheStepsInOrderAndStoresWhatTheyMade) {
  ASSERT_OK(Submit("job"));
  EXPECT_EQ(States("job"), "QUEUED: QUEUED WAITING");
  Tick();
  EXPECT_EQ(States("job"), "RUNNING: RUNNING WAITING");
  EXPECT_EQ(ReadStepSpec(Directory("job", 0)).value(), "spec0");
  EXPECT_EQ(executor_.leases[Directory("job", 0)].device, "cpu");
  EXPECT_EQ(executor_.leases[Directory("job", 0)].bytes, 600);
  EXPECT_EQ(executor_.leases[Directory("job", 0)].threads, 2);
  EXPECT_EQ(store_->ListSteps("job").value()[0].pid, 4711);
  EXPECT_EQ(store_->ListSteps("job").value()[0].device, "cpu");

  Succeed("job", 0, "blob1");
  Tick();
  EXPECT_EQ(States("job"), "RUNNING: SUCCEEDED RUNNING");
  EXPECT_EQ(ReadStepSpec(Directory("job", 1)).value(), "spec1+blob1");
  EXPECT_EQ(store_->GetCheckpoint("job-s0").value().blob_digest, "blob1");

  Succeed("job", 1, "chosen");
  Tick();
  EXPECT_EQ(States("job"), "SUCCEEDED: SUCCEEDED SUCCEEDED");
  const store::JobRecord job = store_->GetJob("job").value();
  EXPECT_EQ(job.result, "all of 2");
  EXPECT_TRUE(job.start_time.has_value());
  EXPECT_TRUE(job.end_time.has_value());
  EXPECT_EQ(store_->ListSteps("job").value()[1].result, "chosen");
}

TEST_F(SchedulerTest, OneStreamTellsEverything) {
  ASSERT_OK(Submit("job"));
  Tick();
  const auto watcher = Watch("job");
  WriteEvent("job", 0, "progress", R"({"done":1})");
  Tick();
  EXPECT_EQ(watcher->events.back().data, R"({"done":1})");
  EXPECT_EQ(scheduler_->LatestProgress("job")->data, R"({"done":1})");
  WriteEvent("job", 0, "log", R"("last words")");
  WriteEvent("job", 0, "state", R"({"state":"SUCCEEDED"})");  // not for a worker to tell
  Succeed("job", 0, "r");
  Tick();
  Succeed("job", 1, "r");
  Tick();
  const std::vector<std::string> expected = {"state QUEUED",
                                             "step_state 0 QUEUED",
                                             "step_state 1 WAITING",
                                             "state RUNNING",
                                             "step_state 0 RUNNING",
                                             "progress 0",
                                             "log 0",
                                             "step_state 0 SUCCEEDED",
                                             "step_state 1 QUEUED",
                                             "step_state 1 RUNNING",
                                             "step_state 1 SUCCEEDED",
                                             "state SUCCEEDED"};
  EXPECT_EQ(watcher->Summary(), expected);
  for (size_t i = 0; i < watcher->events.size(); ++i) EXPECT_EQ(watcher->events[i].number, static_cast<int64_t>(i) + 1);
  ASSERT_EQ(watcher->ends.size(), 1u);
  EXPECT_OK(watcher->ends[0]);
  EXPECT_FALSE(scheduler_->LatestProgress("job").has_value());

  // The same again afterwards, from any number, also by another server.
  const auto late = Watch("job", 6);
  Tick();
  EXPECT_EQ(late->events, std::vector<Event>(watcher->events.begin() + 5, watcher->events.end()));
  EXPECT_EQ(late->ends.size(), 1u);
  Restart();
  const auto beyond = Watch("job", 1000);
  Tick();
  EXPECT_TRUE(beyond->events.empty());
  EXPECT_EQ(beyond->ends.size(), 1u);
}

TEST_F(SchedulerTest, ASlowWatcherMissesNothing) {
  ASSERT_OK(Submit("job"));
  const auto watcher = Watch("job");
  watcher->capacity = 2;
  Tick();
  Succeed("job", 0, "r");
  Tick();
  Succeed("job", 1, "r");
  Tick();
  EXPECT_EQ(watcher->events.size(), 2u);
  while (watcher->ends.empty()) {
    watcher->capacity = 1;
    Tick();
  }
  EXPECT_EQ(watcher->Summary().back(), "state SUCCEEDED");
  for (size_t i = 0; i < watcher->events.size(); ++i) EXPECT_EQ(watcher->events[i].number, static_cast<int64_t>(i) + 1);
}

TEST_F(SchedulerTest, WatchesEndWithTheirReason) {
  EXPECT_THAT(scheduler_->Subscribe("none", 0, nullptr), FailsWith(StatusCode::kNotFound, "PATCH_JOB_NOT_FOUND"));
  ASSERT_OK(Submit("job"));
  EXPECT_THAT(scheduler_->Subscribe("job", -1, nullptr), FailsWith(StatusCode::kInvalidArgument, "BAD_EVENT_NUMBER"));
  const auto stopped = Watch("job");
  Tick();
  const auto silent = std::make_shared<FakeWatcher>();
  ASSERT_OK_AND_ASSIGN(const int64_t id, scheduler_->Subscribe("job", 0, silent));
  scheduler_->Unsubscribe(id);
  const auto unseen = Watch("job");
  scheduler_->Stop();
  ASSERT_EQ(stopped->ends.size(), 1u);
  EXPECT_THAT(stopped->ends[0], FailsWith(StatusCode::kUnavailable, "SERVER_STOPPING"));
  EXPECT_EQ(unseen->ends.size(), 1u);
  EXPECT_TRUE(silent->ends.empty());
  EXPECT_THAT(scheduler_->Subscribe("job", 0, silent), FailsWith(StatusCode::kUnavailable, "SERVER_STOPPING"));
}

TEST_F(SchedulerTest, ADeadWorkerFailsItsJobAndTheNextRuns) {
  ASSERT_OK(Submit("first"));
  ASSERT_OK(Submit("second"));
  Tick();
  EXPECT_EQ(States("second"), "QUEUED: QUEUED WAITING");
  testing::WriteTestFile(LogPath(Directory("first", 0)), "out of luck\n");
  Die("first", 0);
  Tick();
  EXPECT_EQ(States("first"), "FAILED: FAILED CANCELLED");
  EXPECT_EQ(States("second"), "RUNNING: RUNNING WAITING");
  const store::JobRecord job = store_->GetJob("first").value();
  EXPECT_EQ(job.error_reason, "WORKER_DIED");
  EXPECT_THAT(job.error_message, ::testing::AllOf(::testing::HasSubstr("s0"), ::testing::HasSubstr("SIGKILL"),
                                                  ::testing::HasSubstr("out of luck")));
  const auto watcher = Watch("first");
  Tick();
  EXPECT_THAT(watcher->events.back().data, ::testing::HasSubstr(R"("reason":"WORKER_DIED")"));
}

TEST_F(SchedulerTest, TriesAgainWhileAttemptsRemain) {
  ASSERT_OK(Submit("job", 2));
  Tick();
  WriteEvent("job", 0, "progress", "1");
  Die("job", 0);
  Tick();
  EXPECT_EQ(States("job"), "RUNNING: RUNNING WAITING");
  EXPECT_EQ(store_->ListSteps("job").value()[0].attempt, 2);
  WriteEvent("job", 0, "progress", "2");
  Succeed("job", 0, "r");
  Tick();
  Die("job", 1);
  Tick();
  Die("job", 1);
  const auto watcher = Watch("job");
  Tick();
  EXPECT_EQ(States("job"), "FAILED: SUCCEEDED FAILED");
  int progress = 0;
  for (const Event& event : watcher->events) progress += event.type == kProgressEvent ? 1 : 0;
  EXPECT_EQ(progress, 2);
}

TEST_F(SchedulerTest, DoesNotRepeatWhatCannotPass) {
  ASSERT_OK(Submit("job", 5));
  Tick();
  ASSERT_OK(WriteStepError(Directory("job", 0), base::InvalidArgument("BAD_IMAGE", "image 7 is no image")));
  Exit("job", 0, R"({"version":1,"exit_code":1})");
  Tick();
  EXPECT_EQ(States("job"), "FAILED: FAILED CANCELLED");
  const store::JobRecord job = store_->GetJob("job").value();
  EXPECT_EQ(job.error_code, static_cast<int>(StatusCode::kInvalidArgument));
  EXPECT_EQ(job.error_reason, "BAD_IMAGE");
  EXPECT_EQ(job.error_message, "step 's0': image 7 is no image");
}

TEST_F(SchedulerTest, CancelsInEachState) {
  ASSERT_OK(Submit("running"));
  ASSERT_OK(Submit("queued"));
  Tick();
  EXPECT_EQ(scheduler_->Cancel("queued").value().state, store::JobState::kCancelled);
  EXPECT_EQ(States("queued"), "CANCELLED: CANCELLED CANCELLED");
  EXPECT_EQ(scheduler_->Cancel("running").value().state, store::JobState::kCancelling);
  EXPECT_EQ(scheduler_->Cancel("running").value().state, store::JobState::kCancelling);
  Tick(2);
  EXPECT_EQ(States("running"), "CANCELLING: RUNNING CANCELLED");
  EXPECT_EQ(executor_.cancelled.count(Directory("running", 0)), 1u);
  Succeed("running", 0, "blob");  // too late
  Tick();
  EXPECT_EQ(States("running"), "CANCELLED: CANCELLED CANCELLED");
  EXPECT_THAT(store_->GetCheckpoint("running-s0"), FailsWith(StatusCode::kNotFound, "CHECKPOINT_NOT_FOUND"));

  for (const char* finished : {"running", "queued"}) {
    EXPECT_THAT(scheduler_->Cancel(finished), FailsWith(StatusCode::kFailedPrecondition, "ILLEGAL_TRANSITION"));
    const auto watcher = Watch(finished);
    Tick();
    EXPECT_EQ(watcher->Summary().back(), "state CANCELLED");
  }
  EXPECT_THAT(scheduler_->Cancel("none"), FailsWith(StatusCode::kNotFound, "PATCH_JOB_NOT_FOUND"));
}

TEST_F(SchedulerTest, ACancelledJobNeverStarts) {
  ASSERT_OK(Submit("job"));
  ASSERT_OK(scheduler_->Cancel("job"));  // before the scheduler has seen it
  Tick(2);
  EXPECT_TRUE(executor_.started.empty());
}

TEST_F(SchedulerTest, CancelsAJobBetweenItsSteps) {
  ASSERT_OK(Submit("first"));
  Tick();
  Succeed("first", 0, "r");
  ASSERT_OK(scheduler_->Cancel("first"));
  Tick(2);
  EXPECT_EQ(States("first"), "CANCELLED: CANCELLED CANCELLED");
  EXPECT_EQ(executor_.started.size(), 1u);
}

TEST_F(SchedulerTest, AStepWaitsForItsLeaseInOrder) {
  devices_ = {{"cuda:0", 1000, 4}};
  Restart();
  for (const char* id : {"a", "b", "c"}) {
    store::StepRecord step = MakeStep(id, 0, {});
    step.lease_bytes = id[0] == 'c' ? 100 : 600;
    ASSERT_OK(SubmitSteps(id, {step}));
  }
  Tick();
  // "c" would fit beside "a", but must not overtake "b", which could then wait for ever.
  EXPECT_EQ(States("a"), "RUNNING: RUNNING");
  EXPECT_EQ(States("b"), "QUEUED: QUEUED");
  EXPECT_EQ(States("c"), "QUEUED: QUEUED");
  Succeed("a", 0, "r");
  Tick();
  EXPECT_EQ(States("b"), "RUNNING: RUNNING");
  EXPECT_EQ(States("c"), "RUNNING: RUNNING");
}

TEST_F(SchedulerTest, AParallelJobRunsItsStepsSideBySide) {
  devices_ = {{"cuda:0", 1000, 4}, {"cuda:1", 1000, 4}};
  Restart();
  ASSERT_OK(SubmitSteps("job", {MakeStep("job", 0, {}), MakeStep("job", 1, {}), MakeStep("job", 2, {0, 1})}));
  Tick();
  EXPECT_EQ(States("job"), "RUNNING: RUNNING RUNNING WAITING");
  EXPECT_NE(executor_.leases[Directory("job", 0)].device, executor_.leases[Directory("job", 1)].device);
  Succeed("job", 0, "x");
  Tick();
  EXPECT_EQ(States("job"), "RUNNING: SUCCEEDED RUNNING WAITING");
  // A failed step stops the others before its job ends.
  Die("job", 1);
  Tick();
  EXPECT_EQ(States("job"), "FAILED: SUCCEEDED FAILED CANCELLED");
}

TEST_F(SchedulerTest, AFailedStepStopsItsSiblings) {
  devices_ = {{"cuda:0", 1000, 4}, {"cuda:1", 1000, 4}};
  Restart();
  ASSERT_OK(SubmitSteps("job", {MakeStep("job", 0, {}), MakeStep("job", 1, {})}));
  Tick();
  Die("job", 0);
  Tick();
  EXPECT_EQ(States("job"), "RUNNING: FAILED RUNNING");
  EXPECT_EQ(executor_.cancelled.count(Directory("job", 1)), 1u);
  Restart();
  Tick();
  EXPECT_EQ(States("job"), "RUNNING: FAILED RUNNING");
  Exit("job", 1, R"({"version":1,"signal":15,"signal_name":"SIGTERM"})");
  Tick();
  EXPECT_EQ(States("job"), "FAILED: FAILED CANCELLED");
}

TEST_F(SchedulerTest, RefusesALeaseThatCanNeverBe) {
  store::StepRecord step = MakeStep("job", 0, {});
  step.lease_bytes = 1001;
  const auto refused = SubmitSteps("job", {step});
  EXPECT_THAT(refused, FailsWith(StatusCode::kFailedPrecondition, "LEASE_IMPOSSIBLE"));
  EXPECT_EQ(base::FieldOf(refused.status()), "steps[0]");
  // The machine lost its memory while the job was queued.
  ASSERT_OK(Submit("queued"));
  devices_ = {{"cpu", 10, 1}};
  Restart();
  Tick(2);
  EXPECT_EQ(States("queued"), "FAILED: FAILED CANCELLED");
  EXPECT_EQ(store_->GetJob("queued").value().error_reason, "LEASE_IMPOSSIBLE");
}

TEST_F(SchedulerTest, AWorkerThatCannotStartFailsItsStep) {
  executor_.start_error = base::NotFound("FILE_NOT_FOUND", "no worker program");
  ASSERT_OK(Submit("job", 3));
  Tick(2);
  EXPECT_EQ(States("job"), "FAILED: FAILED CANCELLED");
  EXPECT_EQ(store_->GetJob("job").value().error_reason, "FILE_NOT_FOUND");
  executor_.start_error = absl::OkStatus();
  ASSERT_OK(Submit("next"));
  Tick();
  EXPECT_EQ(States("next"), "RUNNING: RUNNING WAITING");  // the lease was given back
}

TEST_F(SchedulerTest, RefusedResultsFailTheStepOrTheJob) {
  completion_.step_error = base::DataLoss("BLOB_CORRUPT", "the blob is damaged");
  ASSERT_OK(Submit("step"));
  Tick();
  Succeed("step", 0, "r");
  Tick();
  EXPECT_EQ(States("step"), "FAILED: FAILED CANCELLED");
  EXPECT_EQ(store_->GetJob("step").value().error_reason, "BLOB_CORRUPT");

  completion_.step_error = absl::OkStatus();
  completion_.job_error = base::Internal("NO_MIXTURE", "no mixture");
  ASSERT_OK(SubmitSteps("job", {MakeStep("job", 0, {})}));
  Tick();
  Succeed("job", 0, "r");
  Tick();
  EXPECT_EQ(States("job"), "FAILED: SUCCEEDED");
  EXPECT_EQ(store_->GetJob("job").value().error_reason, "NO_MIXTURE");

  // A checkpoint whose name is taken.
  completion_.job_error = absl::OkStatus();
  ASSERT_OK(store_->InsertCheckpoint({"taken-s0", "model", "b", "{}", "", clock_.Now()}));
  ASSERT_OK(SubmitSteps("taken", {MakeStep("taken", 0, {})}));
  Tick();
  Succeed("taken", 0, "blob");
  Tick(2);
  EXPECT_EQ(States("taken"), "FAILED: FAILED");
  EXPECT_EQ(store_->GetJob("taken").value().error_reason, "CHECKPOINT_ALREADY_EXISTS");
}

TEST_F(SchedulerTest, ARequestIdMakesOneJob) {
  store::JobRecord job;
  job.id = "first";
  job.request_id = "r";
  job.create_time = clock_.Now();
  ASSERT_OK(scheduler_->Submit(job, {MakeStep("first", 0, {})}));
  job.id = "second";
  EXPECT_EQ(scheduler_->Submit(job, {MakeStep("second", 0, {})}).value().id, "first");
  Tick();
  EXPECT_EQ(executor_.started.size(), 1u);
}

TEST_F(SchedulerTest, AJobWithoutAWritableLogRunsAndItsWatchesEnd) {
  testing::WriteTestFile(EventLogPath(JobDirectory(jobs_path_, "other")) + "/in the way", "");
  ASSERT_OK(SubmitSteps("other", {MakeStep("other", 0, {})}));
  Tick();
  const auto watcher = Watch("other");
  Succeed("other", 0, "r");
  Tick();
  EXPECT_EQ(States("other"), "SUCCEEDED: SUCCEEDED");
  EXPECT_EQ(watcher->ends.size(), 1u);
}

TEST_F(SchedulerTest, DeletesFinishedJobs) {
  ASSERT_OK(Submit("job"));
  Tick();
  EXPECT_THAT(scheduler_->Delete("job"), FailsWith(StatusCode::kFailedPrecondition, "JOB_NOT_FINISHED"));
  Die("job", 0);
  Tick();
  EXPECT_TRUE(std::filesystem::exists(Directory("job", 0)));  // kept until then
  const auto watcher = Watch("job");
  watcher->capacity = 1;
  Tick();
  ASSERT_OK(scheduler_->Delete("job"));
  ASSERT_OK(Submit("job"));  // the name is free at once
  Tick();
  ASSERT_EQ(watcher->ends.size(), 1u);
  EXPECT_THAT(watcher->ends[0], FailsWith(StatusCode::kNotFound, "PATCH_JOB_NOT_FOUND"));
  EXPECT_EQ(States("job"), "RUNNING: RUNNING WAITING");
  EXPECT_FALSE(std::filesystem::exists(Directory("job", 0) + "/exit.json"));
}

}  // namespace
}  // namespace modelpatch::sched
