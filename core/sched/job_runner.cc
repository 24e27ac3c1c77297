#include "core/sched/job_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace modelpatch::sched {
namespace {

using store::JobState;
using store::StepState;

constexpr std::chrono::seconds kPauseAfterFailedWrite{1};

// Whether the job's remaining steps are to be stopped.
bool IsStopping(const store::JobRecord& job, const std::vector<store::StepRecord>& steps) {
  return job.state == JobState::kCancelling ||
         std::any_of(steps.begin(), steps.end(),
                     [](const store::StepRecord& step) { return step.state == StepState::kFailed; });
}

// Whether another attempt could end otherwise.
bool MayPass(const absl::Status& error) {
  switch (error.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kDataLoss:
      return false;
    default:
      return true;
  }
}

// Whether the store could not be written now, as opposed to refusing what it was given.
bool IsStoreTrouble(const absl::Status& error) {
  return error.code() == absl::StatusCode::kAborted || error.code() == absl::StatusCode::kUnavailable ||
         error.code() == absl::StatusCode::kResourceExhausted || error.code() == absl::StatusCode::kDataLoss;
}

template <typename Record>
void SetError(Record& record, const absl::Status& error) {
  record.error_code = static_cast<int>(error.code());
  record.error_reason = base::ReasonOf(error);
  record.error_message = std::string(error.message());
}

std::string NameOf(const store::StepRecord& step) { return fmt::format("{}-{}", step.index, step.name); }

}  // namespace

JobRunner::JobRunner(std::string jobs_path, int threads, store::MetadataStore& store, StepExecutor& executor,
                     StepCompletion& completion, LeaseTable& leases, const base::Clock& clock, base::Logger& logger)
    : jobs_path_(std::move(jobs_path)),
      threads_(threads),
      store_(store),
      executor_(executor),
      completion_(completion),
      leases_(leases),
      clock_(clock),
      logger_(logger) {}

std::string JobRunner::DirectoryOf(const store::StepRecord& step) const {
  return StepDirectory(JobDirectory(jobs_path_, step.job_id), step.index, step.name);
}

absl::StatusOr<std::unique_ptr<ActiveJob>> JobRunner::Load(const std::string& job_id) {
  auto active = std::make_unique<ActiveJob>();
  MP_ASSIGN_OR_RETURN(active->job, store_.GetJob(job_id));
  MP_ASSIGN_OR_RETURN(active->steps, store_.ListSteps(job_id));
  absl::StatusOr<std::unique_ptr<JobEventLog>> log = JobEventLog::Open(JobDirectory(jobs_path_, job_id), clock_);
  if (log.ok()) {
    active->log = *std::move(log);
  } else {
    logger_.Error("cannot open the event log of a job",
                  {{"job", job_id}, {"error", std::string(log.status().message())}});
  }
  Change change{active->job, active->steps};
  bool unstarted = false;
  for (store::StepRecord& step : change.steps) {
    if (step.state != StepState::kRunning) continue;
    active->leases[step.index] = leases_.Adopt(step.device, step.lease_bytes);
    if (WasStarted(DirectoryOf(step)) || executor_.IsAlive(DirectoryOf(step))) {
      logger_.Info("following a step again", {{"job", job_id}, {"step", NameOf(step)}});
      continue;
    }
    // The server died after it stored RUNNING and before it started the worker: not an attempt.
    step.state = StepState::kQueued;
    --step.attempt;
    unstarted = true;
  }
  if (unstarted && !store::IsFinished(change.job.state)) {
    if (absl::Status status = Commit(*active, std::move(change)); !status.ok()) {
      for (const auto& [index, lease] : active->leases) leases_.Release(lease);
      return status;
    }
  }
  Publish(*active);
  return active;
}

absl::Status JobRunner::Reload(ActiveJob& active) {
  MP_ASSIGN_OR_RETURN(store::JobRecord job, store_.GetJob(active.job.id));
  MP_ASSIGN_OR_RETURN(active.steps, store_.ListSteps(job.id));
  active.job = std::move(job);
  active.settled = false;
  for (auto entry = active.leases.begin(); entry != active.leases.end();) {
    if (active.steps[static_cast<size_t>(entry->first)].state == StepState::kRunning) {
      ++entry;
      continue;
    }
    leases_.Release(entry->second);
    entry = active.leases.erase(entry);
  }
  Publish(active);
  return absl::OkStatus();
}

void JobRunner::Advance(ActiveJob& active) {
  if (!active.told) Publish(active);
  if (store::IsFinished(active.job.state)) return;
  if (active.not_before.has_value()) {
    if (clock_.SteadyNow() < *active.not_before) return;
    active.not_before.reset();
  }
  for (size_t i = 0; i < active.steps.size(); ++i) {
    if (active.steps[i].state != StepState::kRunning) continue;
    // First whether it lives, then its events: so none is missed at the end.
    const bool alive = executor_.IsAlive(DirectoryOf(active.steps[i]));
    MergeEvents(active, active.steps[i]);
    if (!alive) {
      if (!FinishStep(active, static_cast<int>(i)).ok()) return;
    } else if (IsStopping(active.job, active.steps)) {
      const absl::Status status = executor_.Cancel(DirectoryOf(active.steps[i]));
      if (!status.ok()) {
        logger_.Warning(
            "cannot stop a step",
            {{"job", active.job.id}, {"step", NameOf(active.steps[i])}, {"error", std::string(status.message())}});
      }
    }
  }
  if (active.settled || store::IsFinished(active.job.state)) return;
  Change change{active.job, active.steps};
  Settle(active, change);
  if (change.job == active.job && change.steps == active.steps) {
    active.settled = true;
  } else {
    Commit(active, std::move(change)).IgnoreError();
  }
}

absl::Status JobRunner::FinishStep(ActiveJob& active, int index) {
  const auto position = static_cast<size_t>(index);
  Change change{active.job, active.steps};
  store::StepRecord& step = change.steps[position];
  step.end_time = clock_.Now();
  if (IsStopping(active.job, active.steps)) {
    step.state = StepState::kCancelled;
    Settle(active, change);
    return Commit(active, std::move(change));
  }
  absl::Status error;
  std::vector<store::CheckpointRecord> checkpoints;
  absl::StatusOr<std::string> result = ReadStepOutcome(DirectoryOf(step));
  if (result.ok()) {
    step.state = StepState::kSucceeded;
    step.result = *std::move(result);
    auto made = completion_.OnStepSucceeded(active.job, change.steps, step, step.result);
    if (made.ok()) {
      checkpoints = *std::move(made);
      Settle(active, change);
      absl::Status committed = Commit(active, change, checkpoints);
      if (committed.ok() || IsStoreTrouble(committed)) return committed;
      error = std::move(committed);  // the checkpoints are refused
    } else {
      error = std::move(made).status();
    }
    change = Change{active.job, active.steps};
    change.steps[position].end_time = clock_.Now();
  } else {
    error = std::move(result).status();
  }
  logger_.Warning("a step failed", {{"job", active.job.id},
                                    {"step", NameOf(active.steps[position])},
                                    {"reason", base::ReasonOf(error)},
                                    {"error", std::string(error.message())}});
  SetFailed(change.steps[position], error);
  Settle(active, change);
  return Commit(active, std::move(change));
}

void JobRunner::SetFailed(store::StepRecord& step, const absl::Status& error) const {
  SetError(step, error);
  step.end_time = clock_.Now();
  step.state = step.attempt < step.maximum_attempts && MayPass(error) ? StepState::kQueued : StepState::kFailed;
}

void JobRunner::Settle(const ActiveJob& active, Change& change) {
  const bool stopping = IsStopping(change.job, change.steps);
  const store::StepRecord* failed = nullptr;
  bool finished = true;
  for (store::StepRecord& step : change.steps) {
    const bool waits = step.state == StepState::kWaiting || step.state == StepState::kQueued;
    if (waits && stopping) {
      step.state = StepState::kCancelled;
    } else if (step.state == StepState::kWaiting) {
      const bool ready = std::all_of(step.depends_on.begin(), step.depends_on.end(), [&](int dependency) {
        return change.steps[static_cast<size_t>(dependency)].state == StepState::kSucceeded;
      });
      if (ready) step.state = StepState::kQueued;
    }
    if (step.state == StepState::kFailed && failed == nullptr) failed = &step;
    finished = finished && store::IsFinished(step.state);
  }
  // A job that the store has as QUEUED is stored as RUNNING before it ends.
  if (!finished || active.job.state == JobState::kQueued) return;
  change.job.end_time = clock_.Now();
  if (change.job.state == JobState::kCancelling) {
    change.job.state = JobState::kCancelled;
    return;
  }
  if (failed != nullptr) {
    change.job.state = JobState::kFailed;
    change.job.error_code = failed->error_code;
    change.job.error_reason = failed->error_reason;
    change.job.error_message = fmt::format("step '{}': {}", failed->name, failed->error_message);
    return;
  }
  absl::StatusOr<std::string> result = completion_.JobResult(change.job, change.steps);
  change.job.state = result.ok() ? JobState::kSucceeded : JobState::kFailed;
  if (result.ok()) {
    change.job.result = *std::move(result);
  } else {
    SetError(change.job, result.status());
  }
}

void JobRunner::StartSteps(ActiveJob& active, std::set<std::string>& withheld) {
  if (store::IsFinished(active.job.state) || active.not_before.has_value()) return;
  for (size_t i = 0; i < active.steps.size(); ++i) {
    if (active.steps[i].state != StepState::kQueued || IsStopping(active.job, active.steps)) continue;
    const std::string requested = active.steps[i].requested_device;
    const int64_t bytes = active.steps[i].lease_bytes;
    if (const absl::Status possible = leases_.CheckPossible(requested, bytes); !possible.ok()) {
      Refuse(active, static_cast<int>(i), possible);  // the machine has changed since the job was submitted
      return;
    }
    const std::optional<Lease> lease = leases_.Acquire(requested, bytes, withheld);
    if (lease.has_value()) {
      StartStep(active, static_cast<int>(i), *lease);
      if (active.not_before.has_value() || store::IsFinished(active.job.state)) return;
    } else {
      for (const std::string& device : leases_.Fitting(requested, bytes)) withheld.insert(device);
    }
  }
}

void JobRunner::StartStep(ActiveJob& active, int index, const Lease& lease) {
  const auto position = static_cast<size_t>(index);
  const std::string directory = DirectoryOf(active.steps[position]);
  const absl::StatusOr<std::string> spec = completion_.StepSpec(active.job, active.steps, active.steps[position]);
  const absl::Status prepared = spec.ok() ? PrepareStepDirectory(directory, *spec) : spec.status();
  if (!prepared.ok()) {
    leases_.Release(lease);
    Refuse(active, index, prepared);
    return;
  }
  Change change{active.job, active.steps};
  store::StepRecord& step = change.steps[position];
  step.state = StepState::kRunning;
  step.attempt += 1;
  step.device = lease.device;
  step.start_time = clock_.Now();
  step.end_time.reset();
  step.error_code = 0;
  step.error_reason.clear();
  step.error_message.clear();
  step.pid = 0;
  if (change.job.state == JobState::kQueued) {
    change.job.state = JobState::kRunning;
    change.job.start_time = step.start_time;
  }
  // Stored first: a worker that runs is never unknown to the store.
  if (!Commit(active, std::move(change)).ok()) {
    leases_.Release(lease);
    return;
  }
  active.leases[index] = lease;
  const absl::StatusOr<int64_t> pid = executor_.Start(directory, {lease.device, lease.bytes, threads_});
  Change started{active.job, active.steps};
  if (pid.ok()) {
    started.steps[position].pid = *pid;
    logger_.Info("started a step", {{"job", active.job.id},
                                    {"step", NameOf(active.steps[position])},
                                    {"device", lease.device},
                                    {"pid", std::to_string(*pid)}});
  } else {
    logger_.Error("cannot start a step", {{"job", active.job.id},
                                          {"step", NameOf(active.steps[position])},
                                          {"error", std::string(pid.status().message())}});
    SetFailed(started.steps[position], pid.status());
    Settle(active, started);
  }
  Commit(active, std::move(started)).IgnoreError();
}

void JobRunner::Refuse(ActiveJob& active, int index, const absl::Status& error) {
  Change change{active.job, active.steps};
  store::StepRecord& step = change.steps[static_cast<size_t>(index)];
  SetError(step, error);
  step.state = StepState::kFailed;
  step.end_time = clock_.Now();
  if (change.job.state == JobState::kQueued) {
    change.job.state = JobState::kRunning;
    change.job.start_time = step.end_time;
  }
  Settle(active, change);
  Commit(active, std::move(change)).IgnoreError();
}

absl::Status JobRunner::Commit(ActiveJob& active, Change change,
                               const std::vector<store::CheckpointRecord>& checkpoints) {
  std::vector<store::StepRecord> changed;
  for (size_t i = 0; i < change.steps.size(); ++i) {
    if (change.steps[i] != active.steps[i]) changed.push_back(change.steps[i]);
  }
  const absl::StatusOr<int64_t> revision = store_.CommitTransition(change.job, changed, checkpoints);
  if (!revision.ok()) {
    if (revision.status().code() == absl::StatusCode::kAborted) {
      // Somebody else was faster; what they wrote decides.
      MP_RETURN_IF_ERROR(Reload(active));
    } else {
      logger_.Warning("cannot store the state of a job",
                      {{"job", active.job.id}, {"error", std::string(revision.status().message())}});
      active.not_before = clock_.SteadyNow() + kPauseAfterFailedWrite;
    }
    return revision.status();
  }
  change.job.revision = *revision;
  active.job = std::move(change.job);
  active.steps = std::move(change.steps);
  active.settled = false;
  active.not_before.reset();
  for (auto entry = active.leases.begin(); entry != active.leases.end();) {
    const bool running = active.steps[static_cast<size_t>(entry->first)].state == StepState::kRunning;
    if (!running) leases_.Release(entry->second);
    entry = running ? std::next(entry) : active.leases.erase(entry);
  }
  Publish(active);
  return absl::OkStatus();
}

void JobRunner::Publish(ActiveJob& active) {
  active.told = true;
  if (active.log == nullptr) return;
  absl::Status status;
  // The job's state comes last, as its end is the end of the stream, but its start comes before its steps'.
  const bool last = store::IsFinished(active.job.state);
  if (!last) status.Update(active.log->PublishJob(active.job));
  for (const store::StepRecord& step : active.steps) status.Update(active.log->PublishStep(step));
  if (last && status.ok()) status.Update(active.log->PublishJob(active.job));
  active.told = status.ok();
  if (!status.ok()) {
    logger_.Warning("cannot write the events of a job",
                    {{"job", active.job.id}, {"error", std::string(status.message())}});
  }
}

void JobRunner::MergeEvents(ActiveJob& active, const store::StepRecord& step) {
  if (active.log == nullptr) return;
  const absl::StatusOr<bool> merged = active.log->MergeStep(step);
  if (!merged.ok()) {
    logger_.Warning("cannot follow the events of a step",
                    {{"job", step.job_id}, {"step", NameOf(step)}, {"error", std::string(merged.status().message())}});
  }
}

absl::Status JobRunner::CompleteLog(const store::JobRecord& job) {
  MP_ASSIGN_OR_RETURN(const std::unique_ptr<JobEventLog> log,
                      JobEventLog::Open(JobDirectory(jobs_path_, job.id), clock_));
  return log->PublishJob(job);
}

}  // namespace modelpatch::sched
