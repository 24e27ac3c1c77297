// Timer: runs closures later, once. Tests pass one that runs them when told.
//
// Thread safety: thread-safe. The closures run on the timer's thread and must be short: hand what takes time to an
// Executor.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace modelpatch::base {

class Timer {
 public:
  virtual ~Timer() = default;
  // Runs `work` after `wait`, or never, if the timer goes before.
  virtual void After(std::chrono::milliseconds wait, std::function<void()> work) = 0;
};

// One thread of its own. Its destructor forgets what has not run, and joins.
std::unique_ptr<Timer> MakeTimer();

}  // namespace modelpatch::base
