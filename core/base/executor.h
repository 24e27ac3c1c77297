// Executor: runs closures, somewhere, sometime. Tests pass one that runs them at once, in the caller's thread.
//
// Thread safety: Schedule may be called from any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace modelpatch::base {

class Executor {
 public:
  virtual ~Executor() = default;
  virtual void Schedule(std::function<void()> work) = 0;
};

// `threads` threads over one first-in first-out queue. Its destructor runs what is queued, then joins.
// `nice` > 0 lowers the priority of the threads (Linux: setpriority of the thread).
std::unique_ptr<Executor> MakeThreadPool(int threads, int nice = 0);

}  // namespace modelpatch::base
