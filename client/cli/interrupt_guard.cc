#include "client/cli/interrupt_guard.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <utility>

namespace modelpatch::client {

InterruptGuard::InterruptGuard(std::function<void()> clean_up) : clean_up_(std::move(clean_up)) {
  sigemptyset(&signals_);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, number);
  pthread_sigmask(SIG_BLOCK, &signals_, &previous_);
  thread_ = std::thread([this] { Wait(); });
}

InterruptGuard::~InterruptGuard() {
  stop_ = true;
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
}

void InterruptGuard::Wait() {
  constexpr timespec kInterval = {0, 50'000'000};
  while (!stop_) {
    const int number = sigtimedwait(&signals_, nullptr, &kInterval);
    if (number < 0) continue;
    clean_up_();
    // The main thread may be anywhere: no destructors.
    _exit(128 + number);
  }
}

}  // namespace modelpatch::client
