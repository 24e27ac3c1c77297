#include "client/retry.h"

#include <algorithm>
#include <cstdint>
#include <thread>

namespace modelpatch::client {

std::chrono::milliseconds BackoffAfter(const RetryPolicy& policy, int attempt) {
  // 2^20 times the first wait is more than any maximum that makes sense, and far from an overflow.
  const auto factor = int64_t{1} << std::clamp(attempt - 1, 0, 20);
  return std::min(policy.initial_backoff * factor, policy.maximum_backoff);
}

void Wait(const RetryPolicy& policy, std::chrono::milliseconds time) {
  if (policy.sleep) {
    policy.sleep(time);
  } else {
    std::this_thread::sleep_for(time);
  }
}

absl::Status Retry(const RetryPolicy& policy, const std::function<absl::Status()>& attempt) {
  for (int number = 1;; ++number) {
    absl::Status status = attempt();
    if (!absl::IsUnavailable(status) || number >= policy.maximum_attempts) return status;
    Wait(policy, BackoffAfter(policy, number));
  }
}

}  // namespace modelpatch::client
