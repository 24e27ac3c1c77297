// Clock: where time comes from, so that tests can make it stand still.
//
// Thread safety: implementations are thread-safe. Owned by the composition root; everybody else holds a reference.
#pragma once

#include <chrono>

namespace modelpatch::base {

// Wall time, in UTC, with microseconds (what RFC 3339 timestamps and the metadata store carry).
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;
// Time that never goes back; for durations and deadlines.
using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime Now() const = 0;
  virtual SteadyTime SteadyNow() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallTime Now() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
  SteadyTime SteadyNow() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace modelpatch::base
