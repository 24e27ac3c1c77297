#include "client/load/load_run.h"

#include <atomic>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "client/load/seeded_random.h"

namespace modelpatch::client {
namespace {

// The samples of a run, and how many of its calls have not ended.
class Record {
 public:
  void Begin() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++unanswered_;
  }

  void End(LoadSample sample) {
    const std::lock_guard<std::mutex> lock(mutex_);
    samples_.push_back(std::move(sample));
    // Under the lock: who waits may destroy this as soon as it is let go.
    if (--unanswered_ == 0) none_.notify_all();
  }

  void Add(LoadSample sample) {
    const std::lock_guard<std::mutex> lock(mutex_);
    samples_.push_back(std::move(sample));
  }

  int64_t unanswered() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return unanswered_;
  }

  std::vector<LoadSample> WaitForAll() {
    std::unique_lock<std::mutex> lock(mutex_);
    none_.wait(lock, [this] { return unanswered_ == 0; });
    return std::move(samples_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  int64_t unanswered_ = 0;
  std::vector<LoadSample> samples_;
};

// Sends the next call of one client, unless it is too late.
struct ClosedLoopClient {
  Caller& caller;
  Timer& timer;
  Record& record;
  std::atomic<uint64_t>& next_number;
  const double end;

  void Next() const {
    const double arrival = timer.Now();
    if (arrival >= end) return;
    record.Begin();
    caller.Start(next_number++, [client = *this, arrival](std::string code) {
      LoadSample sample{arrival, client.timer.Now(), std::move(code)};
      // Before this call is said to be over, so that the run does not end between two calls.
      client.Next();
      client.record.End(std::move(sample));
    });
  }
};

}  // namespace

double ArrivalGap(const OpenLoop& loop, uint64_t number) {
  return -std::log1p(-RandomUniform(loop.seed, number)) / loop.rate;
}

std::vector<LoadSample> RunLoad(const ClosedLoop& loop, double end, Caller& caller, Timer& timer) {
  Record record;
  std::atomic<uint64_t> next_number = 0;
  const ClosedLoopClient client{caller, timer, record, next_number, end};
  for (int i = 0; i < loop.clients; ++i) client.Next();
  return record.WaitForAll();
}

std::vector<LoadSample> RunLoad(const OpenLoop& loop, double end, Caller& caller, Timer& timer) {
  Record record;
  double arrival = timer.Now();
  for (uint64_t number = 0;; ++number) {
    arrival += ArrivalGap(loop, number);
    if (arrival >= end) break;
    timer.SleepUntil(arrival);
    if (record.unanswered() >= loop.maximum_unanswered) {
      record.Add({arrival, arrival, "NOT_SENT"});
      continue;
    }
    record.Begin();
    caller.Start(number, [&record, &timer, arrival](std::string code) {
      record.End({arrival, timer.Now(), std::move(code)});
    });
  }
  return record.WaitForAll();
}

}  // namespace modelpatch::client
