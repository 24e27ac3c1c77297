#include "core/data/example_loop.h"

#include <atomic>
#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/mutex.h"

namespace modelpatch::data {
namespace {

// What the threads share: each takes the next example until there are none or one has failed.
class Loop {
 public:
  Loop(int64_t count, const base::CancellationToken& cancellation, const std::function<absl::Status(int64_t)>& work)
      : count_(count), cancellation_(cancellation), work_(work) {}

  void Run() {
    while (!stop_.load(std::memory_order_relaxed)) {
      const int64_t index = next_.fetch_add(1, std::memory_order_relaxed);
      if (index >= count_) return;
      absl::Status status = cancellation_.Check();
      if (status.ok()) status = One(index);
      if (!status.ok()) Fail(index, std::move(status));
    }
  }

  absl::Status status() const {
    base::MutexLock lock(mutex_);
    return status_;
  }

 private:
  absl::Status One(int64_t index) try { return work_(index); } catch (const std::bad_alloc&) {
    return base::ResourceExhausted("OUT_OF_MEMORY", "no memory to read an image");
  }

  // Keeps the error of the lowest index. Indices are taken in order, so every lower one was taken already and will be
  // worked to its end: the result does not depend on the threads' pace.
  void Fail(int64_t index, absl::Status status) {
    stop_.store(true, std::memory_order_relaxed);
    base::MutexLock lock(mutex_);
    if (!status_.ok() && index > failed_index_) return;
    failed_index_ = index;
    status_ = std::move(status);
  }

  const int64_t count_;
  const base::CancellationToken& cancellation_;
  const std::function<absl::Status(int64_t)>& work_;
  std::atomic<int64_t> next_{0};
  std::atomic<bool> stop_{false};

  mutable base::Mutex mutex_;
  absl::Status status_ MP_GUARDED_BY(mutex_);
  int64_t failed_index_ MP_GUARDED_BY(mutex_) = 0;
};

}  // namespace

absl::Status ForEachExample(int64_t count, int threads, const base::CancellationToken& cancellation,
                            const std::function<absl::Status(int64_t index)>& work) {
  Loop loop(count, cancellation, work);
  std::vector<std::jthread> helpers;
  try {
    for (int i = 1; i < threads; ++i) helpers.emplace_back([&loop] { loop.Run(); });
  } catch (const std::system_error&) {
    // No more threads are to be had: those that there are do the work.
  }
  loop.Run();
  helpers.clear();  // joins
  return loop.status();
}

}  // namespace modelpatch::data
