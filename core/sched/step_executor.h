// StepExecutor: starts workers, sees whether they live, and stops them.
//
// A worker is known by its step directory alone (step_directory.h), so that a server that was started again finds the
// workers of the one before. How a worker ended is read from the directory, not asked here. Thread safety: used by one
// thread, the scheduler's.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/status.h"
#include "core/sched/step_directory.h"

namespace modelpatch::sched {

class StepExecutor {
 public:
  virtual ~StepExecutor() = default;

  // Starts a worker on a prepared directory; returns a process id for people. From the moment it returns, IsAlive is
  // true until the worker ends. Does not wait for the worker's first sign of life.
  virtual absl::StatusOr<int64_t> Start(const std::string& step_directory, const StepLease& lease) = 0;

  // Whether the worker of this directory lives, whoever started it.
  virtual bool IsAlive(const std::string& step_directory) = 0;

  // Asks the worker to stop. Call it again until IsAlive is false: after a grace period, it is made to. OK if it does
  // not live.
  virtual absl::Status Cancel(const std::string& step_directory) = 0;
};

}  // namespace modelpatch::sched
