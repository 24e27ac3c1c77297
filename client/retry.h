// Trying a call again while the server is not reachable.
#pragma once

#include <chrono>
#include <functional>

#include "absl/status/status.h"

namespace modelpatch::client {

struct RetryPolicy {
  // Tries in all; 1 means no second one.
  int maximum_attempts = 4;
  // Before the second try; doubled before each one after it.
  std::chrono::milliseconds initial_backoff{100};
  std::chrono::milliseconds maximum_backoff{2000};
  // How to wait. Empty: the calling thread sleeps.
  std::function<void(std::chrono::milliseconds)> sleep;
};

// Calls `attempt` until it returns anything but UNAVAILABLE, or the policy's tries are used up; returns the last
// status. For calls alone whose repetition does no harm.
absl::Status Retry(const RetryPolicy& policy, const std::function<absl::Status()>& attempt);

// The wait after failed try number `attempt` (1 is the first), as the policy says.
std::chrono::milliseconds BackoffAfter(const RetryPolicy& policy, int attempt);

// Waits that long, as the policy says.
void Wait(const RetryPolicy& policy, std::chrono::milliseconds time);

}  // namespace modelpatch::client
