// A clock that stands still until told, and an executor that runs work when told.
#pragma once

#include <deque>
#include <functional>
#include <utility>

#include "core/base/clock.h"
#include "core/base/executor.h"
#include "core/base/timer.h"

namespace modelpatch::testing {

class FakeClock final : public base::Clock {
 public:
  base::WallTime Now() const override { return wall_; }
  base::SteadyTime SteadyNow() const override { return steady_; }
  void Advance(std::chrono::microseconds by) {
    wall_ += by;
    steady_ += by;
  }

 private:
  base::WallTime wall_{std::chrono::seconds(1'700'000'000)};
  base::SteadyTime steady_{};
};

// Runs the work at once, in the caller's thread.
class InlineExecutor final : public base::Executor {
 public:
  void Schedule(std::function<void()> work) override { work(); }
};

// Keeps the work until RunAll.
class ManualExecutor final : public base::Executor {
 public:
  void Schedule(std::function<void()> work) override { queue_.push_back(std::move(work)); }
  size_t pending() const { return queue_.size(); }
  void RunAll() {
    while (!queue_.empty()) {
      auto work = std::move(queue_.front());
      queue_.pop_front();
      work();
    }
  }

 private:
  std::deque<std::function<void()>> queue_;
};

// Keeps the work until RunAll, whatever its wait.
class ManualTimer final : public base::Timer {
 public:
  void After(std::chrono::milliseconds wait, std::function<void()> work) override {
    waits_.push_back(wait);
    queue_.Schedule(std::move(work));
  }
  // Of all that was asked for.
  const std::deque<std::chrono::milliseconds>& waits() const { return waits_; }
  void RunAll() { queue_.RunAll(); }

 private:
  std::deque<std::chrono::milliseconds> waits_;
  ManualExecutor queue_;
};

}  // namespace modelpatch::testing
