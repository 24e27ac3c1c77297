// Waiting for real processes, which take real time.
#pragma once

#include <chrono>
#include <thread>

namespace modelpatch::sched {

// Looks again and again, for a minute at most; whether `condition` came true.
template <typename Condition>
bool Eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace modelpatch::sched
