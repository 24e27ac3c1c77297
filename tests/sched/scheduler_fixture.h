// A scheduler over a real metadata store and real files, with workers that do what the test says.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/sched/scheduler.h"
#include "core/sched/step_directory.h"
#include "core/store/sqlite_metadata_store.h"
#include "tests/support/fakes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::sched {

// Workers are names of directories in a set. They outlive the scheduler, as real ones do.
class FakeExecutor final : public StepExecutor {
 public:
  absl::StatusOr<int64_t> Start(const std::string& step_directory, const StepLease& lease) override {
    if (!start_error.ok()) return start_error;
    EXPECT_OK(WriteSupervisorPid(step_directory, kPid));
    started.push_back(std::filesystem::path(step_directory).filename().string());
    leases[step_directory] = lease;
    alive.insert(step_directory);
    return kPid;
  }
  bool IsAlive(const std::string& step_directory) override { return alive.count(step_directory) != 0; }
  absl::Status Cancel(const std::string& step_directory) override {
    cancelled.insert(step_directory);
    return absl::OkStatus();
  }

  static constexpr int64_t kPid = 4711;

  absl::Status start_error;
  std::vector<std::string> started;  // names of step directories, in order
  std::map<std::string, StepLease> leases;
  std::set<std::string> alive;
  std::set<std::string> cancelled;
};

class FakeCompletion final : public StepCompletion {
 public:
  absl::StatusOr<std::string> StepSpec(const store::JobRecord&, const std::vector<store::StepRecord>& steps,
                                       const store::StepRecord& step) override {
    std::string spec = step.spec;
    for (const int dependency : step.depends_on) spec += "+" + steps[static_cast<size_t>(dependency)].result;
    return spec;
  }
  absl::StatusOr<std::vector<store::CheckpointRecord>> OnStepSucceeded(const store::JobRecord& job,
                                                                       const std::vector<store::StepRecord>&,
                                                                       const store::StepRecord& step,
                                                                       std::string_view result) override {
    if (!step_error.ok()) return step_error;
    if (result.substr(0, 4) != "blob") return std::vector<store::CheckpointRecord>();
    store::CheckpointRecord checkpoint;
    checkpoint.id = job.id + "-" + step.name;
    checkpoint.model_id = "model";
    checkpoint.blob_digest = result;
    checkpoint.job_id = job.id;
    return std::vector<store::CheckpointRecord>{checkpoint};
  }
  absl::StatusOr<std::string> JobResult(const store::JobRecord&, const std::vector<store::StepRecord>& steps) override {
    if (!job_error.ok()) return job_error;
    return "all of " + std::to_string(steps.size());
  }

  absl::Status step_error;
  absl::Status job_error;
};

class FakeWatcher final : public JobWatcher {
 public:
  bool OnEvent(const Event& event) override {
    if (capacity == 0) return false;
    --capacity;
    events.push_back(event);
    return true;
  }
  void OnEnd(const absl::Status& status) override { ends.push_back(status); }

  // Type and data's state, such as "state RUNNING".
  std::vector<std::string> Summary() const {
    std::vector<std::string> lines;
    for (const Event& event : events) {
      const std::string key = "\"state\":\"";
      const size_t begin = event.data.find(key);
      const size_t end = begin == std::string::npos ? 0 : event.data.find('"', begin + key.size());
      std::string line = event.step < 0 ? event.type : event.type + " " + std::to_string(event.step);
      if (begin != std::string::npos) line += " " + event.data.substr(begin + key.size(), end - begin - key.size());
      lines.push_back(line);
    }
    return lines;
  }

  int capacity = 1'000'000;
  std::vector<Event> events;
  std::vector<absl::Status> ends;
};

class SchedulerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    jobs_path_ = scratch_.Path("jobs");
    ASSERT_OK_AND_ASSIGN(store_, store::OpenSqliteMetadataStore(scratch_.Path("modelpatch.db")));
    ASSERT_OK(store_->InsertModel({"model", "digest", "{}", clock_.Now()}));
    devices_ = {{"cpu", 1000, 1}};
    Restart();
  }

  // As if the server died and came again; workers live on.
  void Restart() {
    scheduler_.reset();
    SchedulerOptions options;
    options.jobs_path = jobs_path_;
    options.devices = devices_;
    options.worker_threads = 2;
    scheduler_ = std::make_unique<Scheduler>(options, *store_, executor_, completion_, clock_, *logger_, *metrics_);
    ASSERT_OK(scheduler_->Recover());
  }

  static store::StepRecord MakeStep(const std::string& job_id, int index, std::vector<int> depends_on) {
    store::StepRecord step;
    step.job_id = job_id;
    step.index = index;
    step.name = "s" + std::to_string(index);
    step.spec = "spec" + std::to_string(index);
    step.depends_on = std::move(depends_on);
    step.state = step.depends_on.empty() ? store::StepState::kQueued : store::StepState::kWaiting;
    step.lease_bytes = 600;
    return step;
  }

  // A job of two steps in a row.
  absl::StatusOr<store::JobRecord> Submit(const std::string& id, int maximum_attempts = 1) {
    std::vector<store::StepRecord> steps = {MakeStep(id, 0, {}), MakeStep(id, 1, {0})};
    for (store::StepRecord& step : steps) step.maximum_attempts = maximum_attempts;
    return SubmitSteps(id, steps);
  }
  absl::StatusOr<store::JobRecord> SubmitSteps(const std::string& id, const std::vector<store::StepRecord>& steps) {
    store::JobRecord job;
    job.id = id;
    job.create_time = clock_.Now();
    clock_.Advance(std::chrono::microseconds(1));
    return scheduler_->Submit(job, steps);
  }

  std::string Directory(const std::string& job_id, int index) const {
    return StepDirectory(JobDirectory(jobs_path_, job_id), index, "s" + std::to_string(index));
  }

  // What a worker does at its end.
  void Succeed(const std::string& job_id, int index, const std::string& result) {
    testing::WriteTestFile(Directory(job_id, index) + "/result.json", result);
    Exit(job_id, index, R"({"version":1,"exit_code":0})");
  }
  void Die(const std::string& job_id, int index) {
    Exit(job_id, index, R"({"version":1,"signal":9,"signal_name":"SIGKILL","core_dumped":false})");
  }
  void Exit(const std::string& job_id, int index, const std::string& exit) {
    testing::WriteTestFile(Directory(job_id, index) + "/exit.json", exit);
    executor_.alive.erase(Directory(job_id, index));
  }
  void WriteEvent(const std::string& job_id, int index, const std::string& type, const std::string& data) {
    EventLogWriter writer = EventLogWriter::Open(EventLogPath(Directory(job_id, index)), clock_).value();
    ASSERT_OK(writer.Append(type, data));
  }

  std::shared_ptr<FakeWatcher> Watch(const std::string& job_id, int64_t from = 0) {
    auto watcher = std::make_shared<FakeWatcher>();
    EXPECT_OK(scheduler_->Subscribe(job_id, from, watcher));
    return watcher;
  }

  // "RUNNING: SUCCEEDED QUEUED"
  std::string States(const std::string& job_id) {
    std::string text = store::ToString(store_->GetJob(job_id).value().state) + ":";
    const std::vector<store::StepRecord> steps = store_->ListSteps(job_id).value();
    for (const store::StepRecord& step : steps) text += " " + store::ToString(step.state);
    return text;
  }
  void Tick(int times = 1) {
    for (int i = 0; i < times; ++i) scheduler_->Tick();
  }

  const testing::ScratchDirectory scratch_;
  std::string jobs_path_;
  std::vector<Device> devices_;
  testing::FakeClock clock_;
  FakeExecutor executor_;
  FakeCompletion completion_;
  const std::unique_ptr<base::Logger> logger_ = base::MakeNullLogger();
  const std::unique_ptr<base::MetricRegistry> metrics_ = base::MakeNullMetricRegistry();
  std::unique_ptr<store::MetadataStore> store_;
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace modelpatch::sched
