#include "core/sched/local_process_executor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <iterator>
#include <string_view>

#include "core/sched/descriptor.h"
#include "core/sched/supervisor.h"

extern char** environ;

namespace modelpatch::sched {
namespace {

// Above the descriptors that the worker gets, so that dup2 to those never meets it.
constexpr int kLowestLockDescriptor = 10;

// What posix_spawn does in the child before the program starts.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // 0 or an errno.
  int Prepare(const std::string& log, int lock) {
    int error = posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    if (error == 0) {
      error = posix_spawn_file_actions_addopen(&actions_, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    }
    if (error == 0) error = posix_spawn_file_actions_adddup2(&actions_, 1, 2);
    if (error == 0) error = posix_spawn_file_actions_adddup2(&actions_, lock, kInheritedLockDescriptor);
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions_, kInheritedLockDescriptor + 1);
    // The server's blocked and ignored signals are not the worker's.
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    if (error == 0) error = posix_spawnattr_setsigmask(&attributes_, &none);
    if (error == 0) error = posix_spawnattr_setsigdefault(&attributes_, &all);
    if (error == 0) {
      error =
          posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    return error;
  }

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

absl::StatusOr<int64_t> LocalProcessExecutor::Start(const std::string& step_directory, const StepLease& lease) {
  Reap();
  MP_RETURN_IF_ERROR(WriteStepLease(step_directory, lease));
  const std::string lock_path = AliveLockPath(step_directory);
  const Descriptor opened(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (opened.get() < 0) return base::ErrnoError(errno, fmt::format("cannot open '{}'", lock_path));
  const Descriptor lock(fcntl(opened.get(), F_DUPFD_CLOEXEC, kLowestLockDescriptor));
  if (lock.get() < 0) return base::ErrnoError(errno, "cannot duplicate a descriptor");
  // The lock belongs to the open file that parent and child share: it is held from here until the last process of the
  // worker has closed it.
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return base::FailedPrecondition("STEP_ALREADY_RUNNING", fmt::format("'{}' has a worker already", step_directory));
  }

  SpawnPlan plan;
  if (const int error = plan.Prepare(LogPath(step_directory), lock.get()); error != 0) {
    return base::ErrnoError(error, "cannot prepare the start of a worker");
  }
  std::vector<std::string> arguments = {options_.program, "--step-dir", step_directory};
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  std::vector<std::string> environment = MakeEnvironment(lease);
  pid_t child = 0;
  const int error = posix_spawn(&child, options_.program.c_str(), plan.actions(), plan.attributes(),
                                Pointers(arguments).data(), Pointers(environment).data());
  if (error != 0) return base::ErrnoError(error, fmt::format("cannot start the worker '{}'", options_.program));
  children_[step_directory] = child;
  cancel_started_.erase(step_directory);
  return child;
}

bool LocalProcessExecutor::IsAlive(const std::string& step_directory) {
  Reap();
  if (IsLockHeld(step_directory)) return true;
  cancel_started_.erase(step_directory);
  return false;
}

absl::Status LocalProcessExecutor::Cancel(const std::string& step_directory) {
  if (!IsAlive(step_directory)) return absl::OkStatus();
  // Even if the marker cannot be written (a full disk), the signal goes out.
  const absl::Status marked = RequestCancel(step_directory);

  const auto child = children_.find(step_directory);
  const int64_t leader = child != children_.end() ? child->second : ReadSupervisorPid(step_directory);
  if (leader <= 1) return marked;  // started by another server, and too young to have written it: the next call will do
  const auto group = static_cast<pid_t>(-leader);
  const base::SteadyTime now = clock_.SteadyNow();
  const auto started = cancel_started_.find(step_directory);
  // The lock is looked at last: while it is held, the process group exists and its number is not another's.
  if (!IsLockHeld(step_directory)) return absl::OkStatus();
  if (started == cancel_started_.end()) {
    cancel_started_[step_directory] = now;
    kill(group, SIGTERM);
  } else if (now - started->second >= options_.cancel_grace) {
    kill(group, SIGKILL);
  }
  return marked;
}

void LocalProcessExecutor::Reap() {
  for (auto child = children_.begin(); child != children_.end();) {
    const pid_t ended = waitpid(child->second, nullptr, WNOHANG);
    const bool gone = ended == child->second || (ended < 0 && errno == ECHILD);
    child = gone ? children_.erase(child) : std::next(child);
  }
}

std::vector<std::string> LocalProcessExecutor::MakeEnvironment(const StepLease& lease) const {
  std::map<std::string, std::string> set = options_.environment;
  set["OMP_WAIT_POLICY"] = "PASSIVE";
  if (lease.threads > 0) set["OMP_NUM_THREADS"] = std::to_string(lease.threads);
  std::vector<std::string> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (set.count(std::string(text.substr(0, text.find('=')))) == 0) environment.emplace_back(text);
  }
  for (const auto& [name, value] : set) environment.push_back(name + "=" + value);
  return environment;
}

}  // namespace modelpatch::sched
