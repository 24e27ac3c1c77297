// OpenStreams: the calls that have no end of their own (uploads, downloads, bulk classification): how many there may
// be, and how a shutdown ends them.
//
// Thread-safe. Outlives the calls.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "core/base/status.h"

namespace modelpatch::server {

class OpenStreams {
 public:
  explicit OpenStreams(int64_t maximum) : maximum_(maximum) {}

  // A place until the result goes. `end` is what EndAll calls, on any thread; it must not keep the call alive.
  // RESOURCE_EXHAUSTED (QUEUE_FULL), UNAVAILABLE (SERVER_STOPPING).
  absl::StatusOr<std::shared_ptr<void>> Enter(std::function<void()> end) {
    base::MutexLock lock(mutex_);
    if (stopping_) return Stopping();
    if (static_cast<int64_t>(ends_.size()) >= maximum_) {
      return base::ResourceExhausted(
          "QUEUE_FULL", fmt::format("{} streams are open already, as many as there may be; try again later", maximum_));
    }
    const int64_t number = next_++;
    ends_.emplace(number, std::move(end));
    return std::shared_ptr<void>(nullptr, [this, number](void*) {
      base::MutexLock leaving(mutex_);
      ends_.erase(number);
    });
  }

  // Tells all calls to end, and lets none in any more.
  void EndAll() {
    std::vector<std::function<void()>> ends;
    {
      base::MutexLock lock(mutex_);
      stopping_ = true;
      for (const auto& [number, end] : ends_) ends.push_back(end);
    }
    for (const auto& end : ends) end();
  }

  // What a call says that EndAll has ended.
  static absl::Status Stopping() {
    return base::Unavailable("SERVER_STOPPING", "the server is stopping; connect again and go on where this ended");
  }

 private:
  const int64_t maximum_;

  base::Mutex mutex_;
  std::map<int64_t, std::function<void()>> ends_ MP_GUARDED_BY(mutex_);
  int64_t next_ MP_GUARDED_BY(mutex_) = 0;
  bool stopping_ MP_GUARDED_BY(mutex_) = false;
};

}  // namespace modelpatch::server
