// Timer: the time of a load run, in seconds, so that tests need not wait. Thread-safe.
#pragma once

namespace modelpatch::client {

class Timer {
 public:
  virtual ~Timer() = default;
  // Seconds since the timer was made. Never goes back.
  virtual double Now() = 0;
  // Returns at `time`, or at once if it has passed.
  virtual void SleepUntil(double time) = 0;
};

// The steady clock.
class SteadyTimer final : public Timer {
 public:
  SteadyTimer();
  double Now() override;
  void SleepUntil(double time) override;

 private:
  const double start_;
};

}  // namespace modelpatch::client
