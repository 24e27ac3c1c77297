#include "core/sched/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/status.h"
#include "core/sched/event_log.h"
#include "core/sched/step_directory.h"

namespace modelpatch::sched {
namespace {

// A probe by the server holds the lock for an instant.
constexpr int kLockAttempts = 100;
constexpr useconds_t kLockPauseMicroseconds = 10'000;

// How far the kernel should prefer the worker to others (the server, above all) when memory runs out; at most 1000.
constexpr char kOutOfMemoryScore[] = "500";

bool IsSameFile(int first, int second) {
  struct stat one {};
  struct stat other {};
  return fstat(first, &one) == 0 && fstat(second, &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

// Holds the step's lock from now on, in this process and in its forks, but not in programs that they start.
absl::Status TakeLock(const std::string& step_directory) {
  const std::string path = AliveLockPath(step_directory);
  const int own = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (own < 0) return base::ErrnoError(errno, fmt::format("cannot open '{}'", path));
  if (own != kInheritedLockDescriptor && IsSameFile(own, kInheritedLockDescriptor)) {
    // Locking it again through the inherited description succeeds if that one holds the lock.
    if (flock(kInheritedLockDescriptor, LOCK_EX | LOCK_NB) == 0) {
      close(own);
      fcntl(kInheritedLockDescriptor, F_SETFD, FD_CLOEXEC);
      return absl::OkStatus();
    }
  }
  for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
    if (flock(own, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
    if (errno != EWOULDBLOCK && errno != EINTR) return base::ErrnoError(errno, fmt::format("cannot lock '{}'", path));
    usleep(kLockPauseMicroseconds);
  }
  close(own);
  return base::FailedPrecondition("STEP_ALREADY_RUNNING",
                                  fmt::format("'{}' is locked: another worker runs this step", step_directory));
}

std::string DescribeEnd(int wait_status, base::WallTime start, base::WallTime end) {
  const std::string times =
      fmt::format(R"("start_time":"{}","end_time":"{}")", FormatTimestamp(start), FormatTimestamp(end));
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    const char* name = sigabbrev_np(signal);
    return fmt::format(R"({{"version":1,"signal":{},"signal_name":"SIG{}","core_dumped":{},{}}})", signal,
                       name == nullptr ? "?" : name, WCOREDUMP(wait_status) ? "true" : "false", times);
  }
  return fmt::format(R"({{"version":1,"exit_code":{},{}}})", WEXITSTATUS(wait_status), times);
}

int RunWorker(pid_t supervisor, const sigset_t& mask, const std::function<int()>& worker) {
  // Die with the supervisor; it may have died before this was asked for.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != supervisor) return 1;
  if (std::FILE* score = std::fopen("/proc/self/oom_score_adj", "we"); score != nullptr) {
    std::fputs(kOutOfMemoryScore, score);
    std::fclose(score);
  }
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  return worker();
}

// Waits for the end of `child` and passes signals on. The signals are blocked, so none is missed.
int WaitFor(pid_t child, const sigset_t& signals) {
  while (true) {
    int wait_status = 0;
    const pid_t ended = waitpid(child, &wait_status, WNOHANG);
    if (ended == child) return wait_status;
    const int signal = sigwaitinfo(&signals, nullptr);
    if (signal == SIGTERM || signal == SIGINT) kill(child, SIGTERM);
  }
}

int Fail(const absl::Status& error) {
  std::fprintf(stderr, "modelpatch supervisor: %s\n", std::string(error.message()).c_str());
  return 1;
}

}  // namespace

int RunSupervised(const std::string& step_directory, const std::function<int()>& worker) {
  if (const absl::Status locked = TakeLock(step_directory); !locked.ok()) return Fail(locked);

  std::signal(SIGCHLD, SIG_DFL);
  sigset_t signals;
  sigset_t former;
  sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, &former);
  // Only now: whoever reads the process id may send a signal.
  if (const absl::Status written = WriteSupervisorPid(step_directory, getpid()); !written.ok()) return Fail(written);

  const base::SystemClock clock;
  const base::WallTime start = clock.Now();
  const pid_t supervisor = getpid();
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return Fail(base::ErrnoError(errno, "cannot fork the worker"));
  if (child == 0) std::exit(RunWorker(supervisor, former, worker));

  const int wait_status = WaitFor(child, signals);
  const absl::Status written =
      base::WriteFileAtomically(step_directory + "/exit.json", DescribeEnd(wait_status, start, clock.Now()));
  if (!written.ok()) Fail(written);
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

}  // namespace modelpatch::sched
