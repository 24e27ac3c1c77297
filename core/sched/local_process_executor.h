// LocalProcessExecutor: workers as processes on this machine.
//
// A worker is spawned in a session of its own, with no descriptor of the server but its lock, standard input from
// /dev/null and output appended to log.txt. It outlives the executor and the server.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/sched/step_executor.h"

namespace modelpatch::sched {

struct LocalProcessOptions {
  // The worker program; run as `<program> --step-dir <directory> <arguments…>`.
  std::string program;
  std::vector<std::string> arguments;
  // Set in the worker's environment, over what the server has. OMP_WAIT_POLICY=PASSIVE is always set, and
  // OMP_NUM_THREADS to the threads of the lease.
  std::map<std::string, std::string> environment;
  // How long a worker may take to stop by itself before it is killed.
  std::chrono::milliseconds cancel_grace{15'000};
};

class LocalProcessExecutor final : public StepExecutor {
 public:
  // The clock must outlive the executor.
  LocalProcessExecutor(LocalProcessOptions options, const base::Clock& clock)
      : options_(std::move(options)), clock_(clock) {}

  // FAILED_PRECONDITION (STEP_ALREADY_RUNNING) if a worker of this directory lives.
  absl::StatusOr<int64_t> Start(const std::string& step_directory, const StepLease& lease) override;
  bool IsAlive(const std::string& step_directory) override;
  absl::Status Cancel(const std::string& step_directory) override;

 private:
  // Collects the children that have ended: they would stay as zombies.
  void Reap();
  std::vector<std::string> MakeEnvironment(const StepLease& lease) const;

  const LocalProcessOptions options_;
  const base::Clock& clock_;
  std::map<std::string, pid_t> children_;                   // by step directory
  std::map<std::string, base::SteadyTime> cancel_started_;  // when SIGTERM was sent
};

}  // namespace modelpatch::sched
