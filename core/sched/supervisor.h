// RunSupervised: the worker program's outer process, which sees how the real worker ends.
//
// The calling process becomes the supervisor: it holds the step directory's lock, forks the worker, passes SIGTERM and
// SIGINT on to it, waits, and writes exit.json. Should the supervisor itself be killed, the kernel kills the worker
// too, the lock becomes free without an exit.json, and the server sees a worker that vanished. Thread safety: call it
// from main, before any other thread exists, since it forks.
#pragma once

#include <functional>
#include <string>

namespace modelpatch::sched {

// The descriptor under which the server hands over the lock, already held, so that no moment passes without it.
inline constexpr int kInheritedLockDescriptor = 3;

// Runs `worker` in a child process and returns this program's exit code: the worker's, or 128 + the signal that ended
// it; 1 if the worker could not be started (the reason is on standard error), for example since the directory is
// locked. The worker may be sent SIGTERM more than once (to the process group and passed on); by default it dies of the
// first.
int RunSupervised(const std::string& step_directory, const std::function<int()>& worker);

}  // namespace modelpatch::sched
