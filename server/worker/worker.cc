#include "server/worker/worker.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <thread>
#include <utility>

#include "core/base/cancellation.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/sched/event_log.h"
#include "core/sched/step_directory.h"
#include "core/tensor/compat.h"
#include "core/tensor/guard.h"
#include "core/tensor/weight_memory.h"
#include "core/train/step_runner.h"
#include "server/step_events.h"
#include "server/version.h"

namespace modelpatch::server {
namespace {

constexpr int kLowestPriority = 19;
// Of a step's session: about a seventh of a core that is wanted, so that a step beside other programs still gets on.
constexpr int kSessionPriority = 8;
constexpr int kCancelPollMilliseconds = 500;

// Cancels on SIGTERM or SIGINT, or when the step directory says so. Blocks the signals in the thread that makes it, so
// make it before any other.
class CancellationWatch {
 public:
  explicit CancellationWatch(std::string step_directory) : step_directory_(std::move(step_directory)) {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::thread([this] { Run(); });
  }
  ~CancellationWatch() {
    stopping_ = true;
    // Ends the wait at once.
    pthread_kill(thread_.native_handle(), SIGTERM);
    thread_.join();
  }
  CancellationWatch(const CancellationWatch&) = delete;
  CancellationWatch& operator=(const CancellationWatch&) = delete;

  base::CancellationToken token() const { return source_.token(); }

 private:
  void Run() {
    const timespec poll = {0, kCancelPollMilliseconds * 1'000'000L};
    while (!stopping_) {
      const int signal = sigtimedwait(&signals_, nullptr, &poll);
      if (stopping_) return;
      if (signal > 0 || sched::IsCancelRequested(step_directory_)) source_.Cancel();
    }
  }

  const std::string step_directory_;
  base::CancellationSource source_;
  std::atomic<bool> stopping_ = false;
  sigset_t signals_;
  std::thread thread_;
};

// Writes what the step says into the event log. A full disk must not end a training: then events are lost.
class EventLogEvents final : public train::StepEvents {
 public:
  EventLogEvents(sched::EventLogWriter& writer, base::Logger& log) : writer_(writer), log_(log) {}

  void Progress(const train::TrainingProgress& progress) override {
    Append(sched::kProgressEvent, ToEventData(progress));
  }
  void SearchPoint(const train::CurvePoint& point) override { Append(sched::kResultEvent, ToEventData(point)); }
  void SearchProgress(int64_t done, int64_t total) override {
    Append(sched::kProgressEvent, ToSearchProgressData(done, total));
  }
  void Log(std::string_view message) override {
    log_.Info(message);
    Append(sched::kLogEvent, ToLogData("info", message));
  }

 private:
  void Append(const char* type, const std::string& data) {
    const auto number = writer_.Append(type, data);
    if (number.ok() || failed_) return;
    failed_ = true;
    log_.Warning("cannot write an event", {{"error", std::string(number.status().message())}});
  }

  sched::EventLogWriter& writer_;
  base::Logger& log_;
  bool failed_ = false;
};

// The spec, with what the lease says about device, memory and threads.
absl::StatusOr<train::StepSpec> ReadSpec(const std::string& step_directory) {
  MP_ASSIGN_OR_RETURN(const std::string json, sched::ReadStepSpec(step_directory));
  MP_ASSIGN_OR_RETURN(train::StepSpec spec, train::StepSpecFromJson(json));
  MP_ASSIGN_OR_RETURN(const sched::StepLease lease, sched::ReadStepLease(step_directory));
  spec.device = lease.device;
  spec.lease_bytes = lease.bytes;
  spec.threads = lease.threads > 0 ? lease.threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return spec;
}

// Leaves the cores to inference. The priority of a process counts within its session alone where the kernel groups
// sessions (sched_autogroup_enabled), and a step has a session of its own: the group's priority is lowered too.
void YieldToInference(base::Logger& log) {
  if (setpriority(PRIO_PROCESS, 0, kLowestPriority) != 0) {
    log.Warning("cannot lower the priority", {{"error", std::strerror(errno)}});
  }
  // Not there on a kernel that groups nothing.
  std::ofstream("/proc/self/autogroup") << kSessionPriority;
}

// Takes what the lease gives, and no more.
absl::Status PrepareProcess(const train::StepSpec& spec, base::Logger& log) {
  MP_ASSIGN_OR_RETURN(const tensor::Device device, tensor::Device::Parse(spec.device));
  if (!device.is_cuda()) YieldToInference(log);
  tensor::KeepHeapForActivations();
  tensor::SetIntraOpThreads(spec.threads);
  if (spec.lease_bytes > 0) tensor::LimitDeviceMemory(device, spec.lease_bytes);
  log.Info("worker starts", {{"version", Version()},
                             {"device", spec.device},
                             {"threads", std::to_string(spec.threads)},
                             {"runtime", tensor::DescribeRuntime()}});
  return absl::OkStatus();
}

absl::StatusOr<std::string> RunStepIn(const std::string& step_directory, const base::Clock& clock,
                                      const base::CancellationToken& cancellation, base::Logger& log) {
  MP_ASSIGN_OR_RETURN(const train::StepSpec spec, ReadSpec(step_directory));
  MP_RETURN_IF_ERROR(PrepareProcess(spec, log));
  MP_ASSIGN_OR_RETURN(sched::EventLogWriter writer,
                      sched::EventLogWriter::Open(sched::EventLogPath(step_directory), clock));
  EventLogEvents events(writer, log);
  return tensor::Guarded([&] { return train::RunStep(spec, {clock, Version()}, cancellation, events); });
}

}  // namespace

int RunWorker(const std::string& step_directory) {
  const std::unique_ptr<base::Logger> log = base::MakeStderrLogger(base::LogFormat::kText, base::Severity::kInfo);
  const base::SystemClock clock;
  const CancellationWatch watch(step_directory);
  const absl::StatusOr<std::string> result = RunStepIn(step_directory, clock, watch.token(), *log);
  const absl::Status written = result.ok() ? sched::WriteStepResult(step_directory, *result)
                                           : sched::WriteStepError(step_directory, result.status());
  if (!result.ok()) {
    log->Error("the step failed",
               {{"reason", base::ReasonOf(result.status())}, {"error", std::string(result.status().message())}});
  }
  if (!written.ok()) log->Error("cannot write the outcome", {{"error", std::string(written.message())}});
  return result.ok() && written.ok() ? 0 : 1;
}

}  // namespace modelpatch::server
