// A server that dies and comes again, at every point where that matters.
#include <filesystem>
#include <fstream>

#include "tests/sched/scheduler_fixture.h"

namespace modelpatch::sched {
namespace {

using SchedulerRestartTest = SchedulerTest;

TEST_F(SchedulerRestartTest, FollowsAWorkerThatStillRuns) {
  ASSERT_OK(Submit("job"));
  ASSERT_OK(Submit("next"));
  Tick();
  WriteEvent("job", 0, "progress", "1");
  Tick();
  Restart();
  WriteEvent("job", 0, "progress", "2");
  Tick();
  EXPECT_EQ(States("job"), "RUNNING: RUNNING WAITING");
  EXPECT_EQ(States("next"), "QUEUED: QUEUED WAITING");  // the lease is still lent
  Succeed("job", 0, "blob");
  Tick();
  Succeed("job", 1, "r");
  Tick();
  EXPECT_EQ(States("job"), "SUCCEEDED: SUCCEEDED SUCCEEDED");
  EXPECT_EQ(executor_.started, (std::vector<std::string>{"0-s0", "1-s1", "0-s0"}));

  const auto watcher = Watch("job");
  Tick();
  std::vector<std::string> progress;
  for (const Event& event : watcher->events) {
    if (event.type == kProgressEvent) progress.push_back(event.data);
  }
  EXPECT_EQ(progress, (std::vector<std::string>{"1", "2"}));  // each once
  EXPECT_EQ(watcher->Summary().back(), "state SUCCEEDED");
}

TEST_F(SchedulerRestartTest, ConcludesAWorkerThatEndedMeanwhile) {
  ASSERT_OK(Submit("good"));
  Tick();
  scheduler_->Stop();
  WriteEvent("good", 0, "progress", "1");
  Succeed("good", 0, "blob");
  Restart();
  Tick();
  EXPECT_EQ(States("good"), "RUNNING: SUCCEEDED RUNNING");
  EXPECT_OK(store_->GetCheckpoint("good-s0"));
  scheduler_->Stop();
  executor_.alive.clear();  // without an exit status
  Restart();
  Tick();
  EXPECT_EQ(States("good"), "FAILED: SUCCEEDED FAILED");
  EXPECT_EQ(store_->GetJob("good").value().error_reason, "WORKER_DIED");
}

TEST_F(SchedulerRestartTest, AWorkerThatNeverStartedIsNoAttempt) {
  ASSERT_OK(Submit("job"));
  Tick();
  // The server died between storing RUNNING and starting the worker, whose lock's file it had made already.
  executor_.alive.clear();
  std::filesystem::remove(Directory("job", 0) + "/pid");
  testing::WriteTestFile(AliveLockPath(Directory("job", 0)), "");
  Restart();
  EXPECT_EQ(States("job"), "RUNNING: QUEUED WAITING");
  Tick();
  EXPECT_EQ(States("job"), "RUNNING: RUNNING WAITING");
  EXPECT_EQ(store_->ListSteps("job").value()[0].attempt, 1);
}

TEST_F(SchedulerRestartTest, GoesOnCancelling) {
  ASSERT_OK(Submit("job"));
  Tick();
  ASSERT_OK(scheduler_->Cancel("job"));
  Restart();
  Tick();
  EXPECT_EQ(executor_.cancelled.count(Directory("job", 0)), 1u);
  Exit("job", 0, R"({"version":1,"signal":15,"signal_name":"SIGTERM"})");
  Tick();
  EXPECT_EQ(States("job"), "CANCELLED: CANCELLED CANCELLED");
}

TEST_F(SchedulerRestartTest, CompletesAStreamThatWasCutOff) {
  ASSERT_OK(SubmitSteps("job", {MakeStep("job", 0, {})}));
  Tick();
  Succeed("job", 0, "r");
  Tick();
  // The server died after storing SUCCEEDED, before telling it; the last line is torn.
  const std::string path = EventLogPath(JobDirectory(jobs_path_, "job"));
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  std::ofstream cut(path, std::ios::trunc);
  for (size_t i = 0; i + 1 < lines.size(); ++i) cut << lines[i] << "\n";
  cut << lines.back().substr(0, 20);
  cut.close();
  Restart();
  const auto watcher = Watch("job");
  Tick();
  EXPECT_EQ(watcher->Summary().back(), "state SUCCEEDED");
  EXPECT_EQ(watcher->ends.size(), 1u);
}

TEST_F(SchedulerRestartTest, KeepsTheOrderOfTheQueue) {
  for (const char* id : {"c", "a", "b"}) ASSERT_OK(Submit(id));
  Restart();
  Tick();
  EXPECT_EQ(States("c"), "RUNNING: RUNNING WAITING");
  EXPECT_EQ(States("a"), "QUEUED: QUEUED WAITING");
}

TEST_F(SchedulerRestartTest, RemovesDirectoriesOfUnknownJobs) {
  ASSERT_OK(Submit("known"));
  Tick();
  testing::WriteTestFile(JobDirectory(jobs_path_, "gone") + "/0-s0/log.txt", "");
  testing::WriteTestFile(JobDirectory(jobs_path_, "alive") + "/0-s0/log.txt", "");
  executor_.alive.insert(JobDirectory(jobs_path_, "alive") + "/0-s0");
  Restart();
  EXPECT_TRUE(std::filesystem::exists(JobDirectory(jobs_path_, "known")));
  EXPECT_FALSE(std::filesystem::exists(JobDirectory(jobs_path_, "gone")));
  EXPECT_TRUE(std::filesystem::exists(JobDirectory(jobs_path_, "alive")));
}

}  // namespace
}  // namespace modelpatch::sched
