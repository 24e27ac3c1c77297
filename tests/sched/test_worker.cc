// A worker for tests: its spec says how it ends.
//
//   result TEXT   writes TEXT as its result            error     writes an error and exits with 3
//   exit N        exits with code N, after a log line  abort     aborts
//   wait          waits for ever; SIGTERM ends it      stubborn  the same, but ignores SIGTERM
//   polite        waits for SIGTERM or the cancel file, then exits with 5
//   inspect       its result lists what it was given: descriptors, environment, signals, session
// It writes a "ready" event once its signals are set up.
#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/base/clock.h"
#include "core/sched/event_log.h"
#include "core/sched/step_directory.h"
#include "core/sched/supervisor.h"

namespace {

using modelpatch::sched::IsCancelRequested;

volatile std::sig_atomic_t g_terminated = 0;

std::string Inspect() {
  std::string report = "descriptors:";
  DIR* directory = opendir("/proc/self/fd");
  for (const dirent* entry = readdir(directory); entry != nullptr; entry = readdir(directory)) {
    const int descriptor = std::atoi(entry->d_name);
    if (entry->d_name[0] == '.' || descriptor == dirfd(directory)) continue;
    report += fmt::format(" {}", descriptor);
  }
  closedir(directory);
  char input[256] = {};
  if (readlink("/proc/self/fd/0", input, sizeof(input) - 1) < 0) return "no input";
  const auto variable = [](const char* name) { return std::getenv(name) == nullptr ? "" : std::getenv(name); };
  struct sigaction pipe_action {};
  sigaction(SIGPIPE, nullptr, &pipe_action);
  sigset_t mask;
  sigprocmask(SIG_SETMASK, nullptr, &mask);
  return report +
         fmt::format("\ninput: {}\nOMP_WAIT_POLICY: {}\nOMP_NUM_THREADS: {}\nEXTRA: {}\nsession: {}\nsignals: {}",
                     input, variable("OMP_WAIT_POLICY"), variable("OMP_NUM_THREADS"), variable("EXTRA"),
                     getsid(0) == getppid() ? "own" : "shared",
                     pipe_action.sa_handler == SIG_DFL && sigismember(&mask, SIGUSR1) == 0 ? "default" : "inherited");
}

int Work(const std::string& directory) {
  const std::string spec = modelpatch::sched::ReadStepSpec(directory).value();
  const std::string verb = spec.substr(0, spec.find(' '));
  const std::string rest = spec.size() > verb.size() ? spec.substr(verb.size() + 1) : "";
  if (verb == "stubborn") std::signal(SIGTERM, SIG_IGN);
  if (verb == "polite") std::signal(SIGTERM, [](int) { g_terminated = 1; });
  const modelpatch::base::SystemClock clock;
  auto events = modelpatch::sched::EventLogWriter::Open(modelpatch::sched::EventLogPath(directory), clock).value();
  if (!events.Append("ready", fmt::format(R"({{"pid":{}}})", getpid())).ok()) return 1;
  std::fprintf(stderr, "working on: %s\n", spec.c_str());
  if (verb == "exit") return std::atoi(rest.c_str());
  if (verb == "abort") std::abort();
  if (verb == "error") {
    const auto error = modelpatch::base::InvalidArgument("BAD_SPEC", "the spec asks for an error");
    return modelpatch::sched::WriteStepError(directory, error).ok() ? 3 : 1;
  }
  while (verb == "wait" || verb == "stubborn") pause();
  if (verb == "polite") {
    while (g_terminated == 0 && !IsCancelRequested(directory)) usleep(1000);
    return 5;
  }
  return modelpatch::sched::WriteStepResult(directory, verb == "inspect" ? Inspect() : rest).ok() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || std::string(argv[1]) != "--step-dir") return 2;
  const std::string directory = argv[2];
  return modelpatch::sched::RunSupervised(directory, [&] { return Work(directory); });
}
