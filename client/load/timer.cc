#include "client/load/timer.h"

#include <chrono>
#include <thread>

namespace modelpatch::client {
namespace {

double SteadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

SteadyTimer::SteadyTimer() : start_(SteadySeconds()) {}

double SteadyTimer::Now() { return SteadySeconds() - start_; }

void SteadyTimer::SleepUntil(double time) {
  const double rest = time - Now();
  if (rest > 0) std::this_thread::sleep_for(std::chrono::duration<double>(rest));
}

}  // namespace modelpatch::client
