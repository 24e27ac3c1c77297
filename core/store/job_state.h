// States of jobs and steps, and which may follow which.
//
//   job:   QUEUED → RUNNING → SUCCEEDED | FAILED      QUEUED → CANCELLED      RUNNING → CANCELLING → CANCELLED
//   step:  WAITING → QUEUED → RUNNING → SUCCEEDED | FAILED | CANCELLED
//          RUNNING → QUEUED (another attempt, or a worker that never started)
//          QUEUED → FAILED (could not be started)     WAITING | QUEUED → CANCELLED
//
// A step is WAITING while a step it depends on has not succeeded, and QUEUED while it waits for a lease. PAUSING and
// PAUSED are reserved: they have names, and no transition leads to or from them. A finished state is never left;
// writing an unfinished record again in its own state is no transition and is allowed. Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "core/base/status.h"

namespace modelpatch::store {

enum class JobState { kQueued, kRunning, kSucceeded, kFailed, kCancelling, kCancelled, kPausing, kPaused };

enum class StepState { kWaiting, kQueued, kRunning, kSucceeded, kFailed, kCancelled };

// The name as it stands in the database, the events and the API: `QUEUED`, `RUNNING`, ….
std::string ToString(JobState state);
std::string ToString(StepState state);

// The state of that name; DATA_LOSS (UNKNOWN_STATE) for any other text.
absl::StatusOr<JobState> ParseJobState(std::string_view name);
absl::StatusOr<StepState> ParseStepState(std::string_view name);

// Whether nothing follows the state.
bool IsFinished(JobState state);
bool IsFinished(StepState state);

// OK, or FAILED_PRECONDITION (ILLEGAL_TRANSITION).
absl::Status CheckTransition(JobState from, JobState to);
absl::Status CheckTransition(StepState from, StepState to);

}  // namespace modelpatch::store
