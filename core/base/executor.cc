#include "core/base/executor.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/mutex.h"

namespace modelpatch::base {
namespace {

class ThreadPool final : public Executor {
 public:
  ThreadPool(int threads, int nice) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this, nice] { Run(nice); });
  }

  ~ThreadPool() override {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
    }
    condition_.NotifyAll();
    for (std::thread& thread : threads_) thread.join();
  }

  void Schedule(std::function<void()> work) override {
    {
      MutexLock lock(mutex_);
      queue_.push_back(std::move(work));
    }
    condition_.NotifyOne();
  }

 private:
  void Run(int nice) {
    if (nice > 0) setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), nice);
    while (true) {
      std::function<void()> work;
      {
        MutexLock lock(mutex_);
        while (queue_.empty() && !stopping_) condition_.Wait(mutex_);
        if (queue_.empty()) return;
        work = std::move(queue_.front());
        queue_.pop_front();
      }
      work();
    }
  }

  Mutex mutex_;
  CondVar condition_;
  std::deque<std::function<void()>> queue_ MP_GUARDED_BY(mutex_);
  bool stopping_ MP_GUARDED_BY(mutex_) = false;

  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<Executor> MakeThreadPool(int threads, int nice) { return std::make_unique<ThreadPool>(threads, nice); }

}  // namespace modelpatch::base
