#include "core/base/timer.h"

#include <map>
#include <thread>
#include <utility>

#include "core/base/mutex.h"

namespace modelpatch::base {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

class ThreadTimer final : public Timer {
 public:
  ThreadTimer() : thread_([this] { Run(); }) {}

  ~ThreadTimer() override {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
    }
    condition_.NotifyAll();
    thread_.join();
  }

  void After(std::chrono::milliseconds wait, std::function<void()> work) override {
    {
      MutexLock lock(mutex_);
      waiting_.emplace(std::chrono::steady_clock::now() + wait, std::move(work));
    }
    condition_.NotifyAll();
  }

 private:
  void Run() {
    while (true) {
      std::function<void()> work;
      {
        MutexLock lock(mutex_);
        while (!stopping_ && !IsDue()) {
          if (waiting_.empty()) {
            condition_.Wait(mutex_);
          } else {
            condition_.WaitFor(mutex_, waiting_.begin()->first - std::chrono::steady_clock::now());
          }
        }
        if (stopping_) return;
        work = std::move(waiting_.begin()->second);
        waiting_.erase(waiting_.begin());
      }
      work();
    }
  }

  bool IsDue() const MP_REQUIRES(mutex_) {
    return !waiting_.empty() && waiting_.begin()->first <= std::chrono::steady_clock::now();
  }

  Mutex mutex_;
  CondVar condition_;
  std::multimap<SteadyTime, std::function<void()>> waiting_ MP_GUARDED_BY(mutex_);
  bool stopping_ MP_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace

std::unique_ptr<Timer> MakeTimer() { return std::make_unique<ThreadTimer>(); }

}  // namespace modelpatch::base
