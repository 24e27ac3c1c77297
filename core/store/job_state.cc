#include "core/store/job_state.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace modelpatch::store {
namespace {

constexpr std::array<std::pair<JobState, std::string_view>, 8> kJobStates = {{
    {JobState::kQueued, "QUEUED"},
    {JobState::kRunning, "RUNNING"},
    {JobState::kSucceeded, "SUCCEEDED"},
    {JobState::kFailed, "FAILED"},
    {JobState::kCancelling, "CANCELLING"},
    {JobState::kCancelled, "CANCELLED"},
    {JobState::kPausing, "PAUSING"},
    {JobState::kPaused, "PAUSED"},
}};

constexpr std::array<std::pair<StepState, std::string_view>, 6> kStepStates = {{
    {StepState::kWaiting, "WAITING"},
    {StepState::kQueued, "QUEUED"},
    {StepState::kRunning, "RUNNING"},
    {StepState::kSucceeded, "SUCCEEDED"},
    {StepState::kFailed, "FAILED"},
    {StepState::kCancelled, "CANCELLED"},
}};

constexpr std::array<std::pair<JobState, JobState>, 6> kJobTransitions = {{
    {JobState::kQueued, JobState::kRunning},
    {JobState::kQueued, JobState::kCancelled},
    {JobState::kRunning, JobState::kSucceeded},
    {JobState::kRunning, JobState::kFailed},
    {JobState::kRunning, JobState::kCancelling},
    {JobState::kCancelling, JobState::kCancelled},
}};

constexpr std::array<std::pair<StepState, StepState>, 9> kStepTransitions = {{
    {StepState::kWaiting, StepState::kQueued},
    {StepState::kWaiting, StepState::kCancelled},
    {StepState::kQueued, StepState::kRunning},
    {StepState::kQueued, StepState::kFailed},
    {StepState::kQueued, StepState::kCancelled},
    {StepState::kRunning, StepState::kSucceeded},
    {StepState::kRunning, StepState::kFailed},
    {StepState::kRunning, StepState::kCancelled},
    {StepState::kRunning, StepState::kQueued},
}};

template <typename Table, typename State>
std::string NameIn(const Table& table, State state) {
  for (const auto& [value, name] : table) {
    if (value == state) return std::string(name);
  }
  return fmt::format("STATE_{}", static_cast<int>(state));
}

template <typename State, typename Table>
absl::StatusOr<State> FindIn(const Table& table, std::string_view name, std::string_view what) {
  for (const auto& [value, known] : table) {
    if (known == name) return value;
  }
  return base::DataLoss("UNKNOWN_STATE", fmt::format("'{}' is not a {} state", name, what));
}

template <typename Table, typename State>
absl::Status CheckIn(const Table& table, State from, State to, std::string_view what) {
  if (from == to && !IsFinished(from)) return absl::OkStatus();
  for (const auto& [before, after] : table) {
    if (before == from && after == to) return absl::OkStatus();
  }
  return base::FailedPrecondition("ILLEGAL_TRANSITION",
                                  fmt::format("a {} cannot go from {} to {}", what, ToString(from), ToString(to)));
}

}  // namespace

std::string ToString(JobState state) { return NameIn(kJobStates, state); }
std::string ToString(StepState state) { return NameIn(kStepStates, state); }

absl::StatusOr<JobState> ParseJobState(std::string_view name) { return FindIn<JobState>(kJobStates, name, "job"); }
absl::StatusOr<StepState> ParseStepState(std::string_view name) { return FindIn<StepState>(kStepStates, name, "step"); }

bool IsFinished(JobState state) {
  return state == JobState::kSucceeded || state == JobState::kFailed || state == JobState::kCancelled;
}
bool IsFinished(StepState state) {
  return state == StepState::kSucceeded || state == StepState::kFailed || state == StepState::kCancelled;
}

absl::Status CheckTransition(JobState from, JobState to) { return CheckIn(kJobTransitions, from, to, "job"); }
absl::Status CheckTransition(StepState from, StepState to) { return CheckIn(kStepTransitions, from, to, "step"); }

}  // namespace modelpatch::store
