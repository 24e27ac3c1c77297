// InterruptGuard: something that is done when Ctrl-C, a hang-up or a SIGTERM ends the program early.
#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

namespace modelpatch::client {

// While it lives, these signals make a thread of its own call `clean_up` and end the process with 128 + the signal's
// number. Must be made before any other thread, so that none of them takes the signals. `clean_up` runs beside the main
// thread.
class InterruptGuard {
 public:
  explicit InterruptGuard(std::function<void()> clean_up);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  void Wait();

  const std::function<void()> clean_up_;
  sigset_t signals_;
  sigset_t previous_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace modelpatch::client
