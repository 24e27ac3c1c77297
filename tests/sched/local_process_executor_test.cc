#include "core/sched/local_process_executor.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>

#include "core/sched/event_log.h"
#include "core/sched/step_directory.h"
#include "tests/sched/eventually.h"
#include "tests/support/fakes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::sched {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using ::testing::HasSubstr;

class LocalProcessExecutorTest : public ::testing::Test {
 protected:
  void SetUp() override { executor_ = MakeExecutor(); }
  void TearDown() override {
    // No worker may outlive the test.
    clock_.Advance(std::chrono::hours(1));
    EXPECT_TRUE(Eventually([&] {
      executor_->Cancel(path_).IgnoreError();
      clock_.Advance(std::chrono::hours(1));
      return !executor_->IsAlive(path_);
    }));
  }

  std::unique_ptr<LocalProcessExecutor> MakeExecutor() {
    LocalProcessOptions options;
    options.program = testing::ProgramPath("sched_test_worker");
    options.environment = {{"EXTRA", "yes"}};
    options.cancel_grace = std::chrono::seconds(30);
    return std::make_unique<LocalProcessExecutor>(options, clock_);
  }

  // The supervisor's process id.
  pid_t Start(const std::string& spec) {
    EXPECT_OK(PrepareStepDirectory(path_, spec));
    const auto pid = executor_->Start(path_, {"cpu", 123, 3});
    EXPECT_OK(pid);
    return static_cast<pid_t>(pid.value_or(0));
  }

  // The real worker's process id, once it is ready.
  pid_t WaitUntilReady() {
    pid_t pid = 0;
    EXPECT_TRUE(Eventually([&] {
      const auto events = EventLogReader(EventLogPath(path_)).Poll(10).value();
      if (events.empty()) return false;
      pid = static_cast<pid_t>(std::atoi(events.back().data.c_str() + std::string(R"({"pid":)").size()));
      return true;
    }));
    return pid;
  }

  void WaitForEnd() {
    ASSERT_TRUE(Eventually([&] { return !executor_->IsAlive(path_); }));
  }

  absl::StatusOr<std::string> Outcome() {
    WaitForEnd();
    return ReadStepOutcome(path_);
  }

  const testing::ScratchDirectory scratch_;
  const std::string path_ = scratch_.Path("job/0-step");
  testing::FakeClock clock_;
  std::unique_ptr<LocalProcessExecutor> executor_;
};

TEST_F(LocalProcessExecutorTest, RunsAWorkerToItsResult) {
  EXPECT_FALSE(executor_->IsAlive(path_));
  Start("result 42");
  EXPECT_EQ(Outcome().value(), "42");
  EXPECT_THAT(ReadLogTail(path_, 1), HasSubstr("working on: result 42"));
}

TEST_F(LocalProcessExecutorTest, LivesFromTheMomentOfTheStart) {
  Start("wait");
  EXPECT_TRUE(executor_->IsAlive(path_));
  EXPECT_THAT(executor_->Start(path_, {}), FailsWith(StatusCode::kFailedPrecondition, "STEP_ALREADY_RUNNING"));
}

TEST_F(LocalProcessExecutorTest, ReportsExitCodesErrorsAndSignals) {
  Start("exit 7");
  EXPECT_THAT(Outcome(), FailsWith(StatusCode::kAborted, "WORKER_DIED"));
  EXPECT_THAT(std::string(Outcome().status().message()),
              ::testing::AllOf(HasSubstr("exit code 7"), HasSubstr("working on")));
  Start("error");
  EXPECT_THAT(Outcome(), FailsWith(StatusCode::kInvalidArgument, "BAD_SPEC"));
  Start("abort");
  EXPECT_THAT(std::string(Outcome().status().message()), HasSubstr("signal 6 (SIGABRT)"));
}

TEST_F(LocalProcessExecutorTest, ReportsAKilledWorker) {
  Start("wait");
  ASSERT_EQ(kill(WaitUntilReady(), SIGKILL), 0);
  EXPECT_THAT(std::string(Outcome().status().message()), HasSubstr("signal 9 (SIGKILL)"));
}

TEST_F(LocalProcessExecutorTest, AKilledSupervisorTakesItsWorkerWithIt) {
  const pid_t supervisor = Start("wait");
  const pid_t worker = WaitUntilReady();
  ASSERT_NE(worker, supervisor);
  EXPECT_EQ(ReadSupervisorPid(path_), supervisor);
  ASSERT_EQ(kill(supervisor, SIGKILL), 0);
  EXPECT_THAT(std::string(Outcome().status().message()), HasSubstr("vanished"));
  EXPECT_TRUE(Eventually([&] { return kill(worker, 0) != 0; }));
}

TEST_F(LocalProcessExecutorTest, GivesAWorkerNothingOfTheServer) {
  const int leaked = open("/dev/null", O_RDONLY);  // inheritable
  ASSERT_EQ(fcntl(leaked, F_DUPFD, 200), 200);
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, nullptr);
  Start("inspect");
  close(leaked);
  close(200);
  std::signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
  EXPECT_EQ(
      Outcome().value_or("no outcome"),
      "descriptors: 0 1 2 3\ninput: /dev/null\nOMP_WAIT_POLICY: PASSIVE\nOMP_NUM_THREADS: 3\nEXTRA: yes\nsession: "
      "own\nsignals: default");
  EXPECT_EQ(ReadStepLease(path_).value().bytes, 123);
}

TEST_F(LocalProcessExecutorTest, CancelStopsAWorker) {
  EXPECT_OK(executor_->Cancel(path_));  // nothing there
  Start("wait");
  WaitUntilReady();
  ASSERT_OK(executor_->Cancel(path_));
  EXPECT_TRUE(IsCancelRequested(path_));
  EXPECT_THAT(std::string(Outcome().status().message()), HasSubstr("SIGTERM"));
}

TEST_F(LocalProcessExecutorTest, CancelLetsAWorkerFinishItsWay) {
  Start("polite");
  WaitUntilReady();
  ASSERT_OK(executor_->Cancel(path_));
  EXPECT_THAT(std::string(Outcome().status().message()), HasSubstr("exit code 5"));
}

TEST_F(LocalProcessExecutorTest, CancelKillsAfterTheGracePeriod) {
  Start("stubborn");
  WaitUntilReady();
  ASSERT_OK(executor_->Cancel(path_));
  clock_.Advance(std::chrono::seconds(29));
  ASSERT_OK(executor_->Cancel(path_));
  EXPECT_TRUE(executor_->IsAlive(path_));
  clock_.Advance(std::chrono::seconds(2));
  ASSERT_OK(executor_->Cancel(path_));
  WaitForEnd();
}

TEST_F(LocalProcessExecutorTest, AnotherServerFindsAndStopsTheWorker) {
  Start("polite");
  WaitUntilReady();
  executor_ = MakeExecutor();
  EXPECT_TRUE(executor_->IsAlive(path_));
  EXPECT_THAT(executor_->Start(path_, {}), FailsWith(StatusCode::kFailedPrecondition, "STEP_ALREADY_RUNNING"));
  ASSERT_OK(executor_->Cancel(path_));
  EXPECT_THAT(std::string(Outcome().status().message()), HasSubstr("exit code 5"));
}

TEST_F(LocalProcessExecutorTest, NeverSignalsAProcessWithoutTheLock) {
  // A process group that got the number of a worker long gone.
  const pid_t bystander = fork();
  if (bystander == 0) {
    setpgid(0, 0);
    pause();
    _exit(0);
  }
  setpgid(bystander, bystander);
  ASSERT_OK(PrepareStepDirectory(path_, "wait"));
  ASSERT_OK(WriteSupervisorPid(path_, bystander));
  testing::WriteTestFile(AliveLockPath(path_), "");
  ASSERT_OK(executor_->Cancel(path_));
  clock_.Advance(std::chrono::hours(1));
  ASSERT_OK(executor_->Cancel(path_));
  EXPECT_EQ(waitpid(bystander, nullptr, WNOHANG), 0);
  kill(bystander, SIGKILL);
  waitpid(bystander, nullptr, 0);
}

TEST_F(LocalProcessExecutorTest, LeavesNoZombies) {
  const pid_t supervisor = Start("result 1");
  WaitForEnd();
  EXPECT_TRUE(Eventually([&] {
    executor_->IsAlive(path_);
    return kill(supervisor, 0) != 0;
  }));
}

TEST_F(LocalProcessExecutorTest, ReportsAProgramThatIsNotThere) {
  LocalProcessOptions options;
  options.program = scratch_.Path("no-such-program");
  LocalProcessExecutor executor(options, clock_);
  ASSERT_OK(PrepareStepDirectory(path_, ""));
  EXPECT_EQ(executor.Start(path_, {}).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(executor.IsAlive(path_));
}

TEST_F(LocalProcessExecutorTest, AWorkerStartedByHandTakesTheLockItself) {
  ASSERT_OK(PrepareStepDirectory(path_, "polite"));
  const pid_t child = fork();
  if (child == 0) {
    const std::string program = testing::ProgramPath("sched_test_worker");
    execl(program.c_str(), program.c_str(), "--step-dir", path_.c_str(), nullptr);
    _exit(127);
  }
  WaitUntilReady();
  EXPECT_TRUE(executor_->IsAlive(path_));
  ASSERT_OK(RequestCancel(path_));
  int wait_status = 0;
  ASSERT_EQ(waitpid(child, &wait_status, 0), child);
  EXPECT_EQ(WEXITSTATUS(wait_status), 5);
  EXPECT_FALSE(executor_->IsAlive(path_));
}

}  // namespace
}  // namespace modelpatch::sched
