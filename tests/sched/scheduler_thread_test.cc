// The scheduler with its own thread and real processes, from submission to the last event.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/base/mutex.h"
#include "core/sched/local_process_executor.h"
#include "tests/sched/eventually.h"
#include "tests/sched/scheduler_fixture.h"

namespace modelpatch::sched {
namespace {

class WaitingWatcher final : public JobWatcher {
 public:
  bool OnEvent(const Event& event) override {
    base::MutexLock lock(mutex_);
    last_ = event;
    return true;
  }
  void OnEnd(const absl::Status& status) override {
    base::MutexLock lock(mutex_);
    end_ = status;
    ended_ = true;
    changed_.NotifyAll();
  }

  // The data of the last event, or what went wrong.
  std::string WaitForEnd() {
    base::MutexLock lock(mutex_);
    for (int i = 0; i < 60 && !ended_; ++i) changed_.WaitFor(mutex_, std::chrono::seconds(1));
    if (!ended_) return "no end";
    return end_.ok() ? last_.data : std::string(end_.message());
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  Event last_ MP_GUARDED_BY(mutex_);
  absl::Status end_ MP_GUARDED_BY(mutex_);
  bool ended_ MP_GUARDED_BY(mutex_) = false;
};

class SchedulerThreadTest : public SchedulerTest {
 protected:
  void SetUp() override {
    SchedulerTest::SetUp();
    StartServer();
  }

  void StartServer() {
    scheduler_.reset();
    LocalProcessOptions process;
    process.program = testing::ProgramPath("sched_test_worker");
    processes_ = std::make_unique<LocalProcessExecutor>(process, system_clock_);
    SchedulerOptions options;
    options.jobs_path = jobs_path_;
    options.devices = {{"cpu", 1000, 1}};
    options.poll_interval = std::chrono::milliseconds(5);
    scheduler_ =
        std::make_unique<Scheduler>(options, *store_, *processes_, completion_, system_clock_, *logger_, *metrics_);
    ASSERT_OK(scheduler_->Start());
  }

  void SubmitSpec(const std::string& id, const std::string& spec) {
    store::StepRecord step = MakeStep(id, 0, {});
    step.spec = spec;
    ASSERT_OK(SubmitSteps(id, {step}));
  }

  std::string WaitForEnd(const std::string& job_id) {
    auto watcher = std::make_shared<WaitingWatcher>();
    EXPECT_OK(scheduler_->Subscribe(job_id, 0, watcher));
    return watcher->WaitForEnd();
  }

  const base::SystemClock system_clock_;
  std::unique_ptr<LocalProcessExecutor> processes_;
};

TEST_F(SchedulerThreadTest, RunsJobsOneAfterTheOther) {
  SubmitSpec("good", "result blob");
  SubmitSpec("bad", "exit 9");
  SubmitSpec("next", "result r");
  EXPECT_THAT(WaitForEnd("next"), ::testing::HasSubstr("SUCCEEDED"));
  EXPECT_THAT(WaitForEnd("bad"), ::testing::AllOf(::testing::HasSubstr("FAILED"), ::testing::HasSubstr("exit code 9")));
  EXPECT_THAT(WaitForEnd("good"), ::testing::HasSubstr("SUCCEEDED"));
  EXPECT_OK(store_->GetCheckpoint("good-s0"));
}

TEST_F(SchedulerThreadTest, AWorkerOutlivesTheServer) {
  SubmitSpec("job", "polite");
  auto watcher = std::make_shared<WaitingWatcher>();
  ASSERT_OK(scheduler_->Subscribe("job", 0, watcher));
  ASSERT_TRUE(Eventually([&] { return IsLockHeld(Directory("job", 0)); }));
  scheduler_->Stop();
  EXPECT_THAT(watcher->WaitForEnd(), ::testing::HasSubstr("stopping"));
  EXPECT_TRUE(IsLockHeld(Directory("job", 0)));
  StartServer();
  ASSERT_OK(scheduler_->Cancel("job"));
  EXPECT_EQ(WaitForEnd("job"), R"({"state":"CANCELLED"})");
  EXPECT_FALSE(IsLockHeld(Directory("job", 0)));
}

}  // namespace
}  // namespace modelpatch::sched
