// CallsInFlight: how many calls of our own services run, so that a shutdown knows when the last has been answered.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>

#include "core/base/mutex.h"

namespace modelpatch::server {

class CallsInFlight {
 public:
  void Enter() {
    base::MutexLock lock(mutex_);
    ++count_;
  }

  void Leave() {
    base::MutexLock lock(mutex_);
    if (--count_ == 0) none_.NotifyAll();
  }

  // Waits at most `timeout`. Whether there are none.
  bool WaitUntilNone(std::chrono::milliseconds timeout) {
    base::MutexLock lock(mutex_);
    if (count_ > 0) none_.WaitFor(mutex_, timeout);
    return count_ == 0;
  }

 private:
  base::Mutex mutex_;
  base::CondVar none_;
  int64_t count_ MP_GUARDED_BY(mutex_) = 0;
};

}  // namespace modelpatch::server
