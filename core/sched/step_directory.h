// The directory of a step: how the scheduler and a worker talk, and where the step's state lies.
//
//   jobs/<job id>/events.jsonl           the job's events, merged by the scheduler (job_event_log.h)
//   jobs/<job id>/<index>-<step name>/
//     spec.json     what to do; opaque bytes        written before the start
//     lease.json    {"device", "bytes", "threads"}  written before the start
//     events.jsonl  the worker's events (event_log.h)
//     log.txt       its standard output and error
//     result.json   what it produced; opaque bytes  written before exit code 0
//     error.json    {"code", "reason", "message"}   written before another exit code
//     exit.json     written by the supervisor: {"exit_code"} or {"signal", "signal_name", "core_dumped"}, and times
//     alive.lock    locked (flock) while the supervisor or the worker lives
//     pid           the supervisor's process id, which is also its session and process group
//     cancel        exists once the step shall stop
//
// A retry runs in the same directory: files of the attempt before that tell of its end are removed first; log.txt and
// events.jsonl go on. Anything else a worker writes there stays for the next attempt.
// Thread safety: pure functions of the file system.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace modelpatch::sched {

// `<jobs path>/<job id>` and `<job directory>/<index>-<name>`.
std::string JobDirectory(const std::string& jobs_path, const std::string& job_id);
std::string StepDirectory(const std::string& job_directory, int index, const std::string& name);

std::string EventLogPath(const std::string& directory);
std::string LogPath(const std::string& step_directory);
std::string AliveLockPath(const std::string& step_directory);

// Makes the directory ready for an attempt.
absl::Status PrepareStepDirectory(const std::string& step_directory, std::string_view spec);

// For the worker: its spec, at most 64 MiB.
absl::StatusOr<std::string> ReadStepSpec(const std::string& step_directory);

struct StepLease {
  std::string device = "cpu";
  int64_t bytes = 0;  // 0: no limit
  int threads = 0;    // 0: the worker chooses
};
absl::Status WriteStepLease(const std::string& step_directory, const StepLease& lease);
// INVALID_ARGUMENT (BAD_LEASE) if the file is not one.
absl::StatusOr<StepLease> ReadStepLease(const std::string& step_directory);

// For the worker: its last words. Write one of them, atomically and durably, before exiting with 0, or with another
// code.
absl::Status WriteStepResult(const std::string& step_directory, std::string_view result);
absl::Status WriteStepError(const std::string& step_directory, const absl::Status& error);

// What a worker that no longer lives left behind: its result, or why it failed. The error of error.json if there is
// one; else ABORTED (WORKER_DIED), whose message names the signal or exit code and ends with the last lines of the log.
absl::StatusOr<std::string> ReadStepOutcome(const std::string& step_directory);

// Whether the lock is held, hence the worker alive.
bool IsLockHeld(const std::string& step_directory);
// Whether a supervisor ever had the lock since the directory was prepared. The lock's file alone says nothing: the
// server makes it before it starts the supervisor.
bool WasStarted(const std::string& step_directory);

absl::Status RequestCancel(const std::string& step_directory);
// For the worker, as cheap as a stat(2).
bool IsCancelRequested(const std::string& step_directory);

// The supervisor's process id.
absl::Status WriteSupervisorPid(const std::string& step_directory, int64_t pid);
// 0 if there is none yet.
int64_t ReadSupervisorPid(const std::string& step_directory);

// The last `lines` lines of log.txt, as valid UTF-8 of at most 16 KiB.
std::string ReadLogTail(const std::string& step_directory, int lines);

}  // namespace modelpatch::sched
