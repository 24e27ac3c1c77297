#include "core/sched/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>

#include "core/base/file.h"
#include "core/sched/step_directory.h"

namespace modelpatch::sched {
namespace {

using store::JobState;
using store::StepState;

// How long the event thread sleeps when there is nothing to follow.
constexpr std::chrono::seconds kIdleInterval{10};
// How often a cancellation meets a change made meanwhile by the event thread.
constexpr int kCancelAttempts = 20;

}  // namespace

Scheduler::Scheduler(SchedulerOptions options, store::MetadataStore& store, StepExecutor& executor,
                     StepCompletion& completion, const base::Clock& clock, base::Logger& logger,
                     base::MetricRegistry& metrics)
    : options_(std::move(options)),
      store_(store),
      executor_(executor),
      clock_(clock),
      logger_(logger),
      metrics_(metrics),
      leases_(options_.devices),
      runner_(options_.jobs_path, options_.worker_threads, store, executor, completion, leases_, clock, logger) {}

Scheduler::~Scheduler() { Stop(); }

absl::Status Scheduler::Recover() {
  RemoveOrphans();
  MP_ASSIGN_OR_RETURN(const std::vector<store::JobRecord> jobs, store_.ListUnfinishedJobs());
  for (const store::JobRecord& job : jobs) {
    MP_ASSIGN_OR_RETURN(std::unique_ptr<ActiveJob> active, runner_.Load(job.id));
    active_.emplace(JobKey(job.create_time, job.id), std::move(active));
  }
  return absl::OkStatus();
}

absl::Status Scheduler::Start() {
  MP_RETURN_IF_ERROR(Recover());
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void Scheduler::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  HandleInbox();  // so that watches asked for in the last moment are ended too
  watchers_.End("",
                base::Unavailable("SERVER_STOPPING", "the server is stopping; watch again from the next event number"));
}

void Scheduler::Run() {
  while (true) {
    Tick();
    const std::chrono::nanoseconds pause =
        active_.empty() && watchers_.empty() ? std::chrono::nanoseconds(kIdleInterval) : options_.poll_interval;
    base::MutexLock lock(mutex_);
    if (!woken_ && !stopping_) wake_.WaitFor(mutex_, pause);
    woken_ = false;
    if (stopping_) return;
  }
}

void Scheduler::Tick() {
  HandleInbox();
  for (auto& [key, active] : active_) runner_.Advance(*active);
  std::set<std::string> withheld;
  for (auto& [key, active] : active_) runner_.StartSteps(*active, withheld);
  RetireAndReport();
  watchers_.Deliver();
}

void Scheduler::HandleInbox() {
  Inbox inbox;
  {
    base::MutexLock lock(mutex_);
    std::swap(inbox, inbox_);
  }
  // Deletions first: a job of the same name may have been made since.
  for (const std::string& job_id : inbox.deleted) HandleDeleted(job_id);
  for (const std::string& job_id : inbox.changed) HandleChanged(job_id);
  for (const NewWatch& watch : inbox.watches) HandleWatch(watch);
  for (const int64_t id : inbox.unwatched) watchers_.Remove(id);
}

void Scheduler::HandleChanged(const std::string& job_id) {
  const auto found = Find(job_id);
  absl::Status status;
  if (found != active_.end()) {
    status = runner_.Reload(*found->second);
  } else {
    absl::StatusOr<std::unique_ptr<ActiveJob>> active = runner_.Load(job_id);
    status = active.status();
    if (active.ok()) {
      const JobKey key((*active)->job.create_time, job_id);
      active_.emplace(key, *std::move(active));
    }
  }
  if (status.ok() || status.code() == absl::StatusCode::kNotFound) return;
  logger_.Warning("cannot read a job, trying again", {{"job", job_id}, {"error", std::string(status.message())}});
  base::MutexLock lock(mutex_);
  inbox_.changed.insert(job_id);
}

void Scheduler::HandleDeleted(const std::string& job_id) {
  if (const auto found = Find(job_id); found != active_.end()) active_.erase(found);
  watchers_.End(job_id, base::NotFound("PATCH_JOB_NOT_FOUND", fmt::format("the patch job '{}' was deleted", job_id)));
  const absl::Status removed = base::RemoveAll(JobDirectory(options_.jobs_path, job_id));
  if (!removed.ok()) {
    logger_.Warning("cannot remove a job's directory", {{"job", job_id}, {"error", std::string(removed.message())}});
  }
}

void Scheduler::HandleWatch(const NewWatch& watch) {
  if (Find(watch.job_id) == active_.end()) {
    // A server that died at the wrong moment may have left the log of a finished job without its end.
    const absl::StatusOr<store::JobRecord> job = store_.GetJob(watch.job_id);
    absl::Status status = job.status();
    if (job.ok() && store::IsFinished(job->state)) status = runner_.CompleteLog(*job);
    if (!status.ok()) {
      watch.watcher->OnEnd(status);
      return;
    }
  }
  watchers_.Add(watch.id, watch.job_id, EventLogPath(JobDirectory(options_.jobs_path, watch.job_id)), watch.from_number,
                watch.watcher);
}

std::map<Scheduler::JobKey, std::unique_ptr<ActiveJob>>::iterator Scheduler::Find(const std::string& job_id) {
  return std::find_if(active_.begin(), active_.end(), [&](const auto& entry) { return entry.first.second == job_id; });
}

void Scheduler::RetireAndReport() {
  int queued = 0;
  int running = 0;
  int waiting_steps = 0;
  std::map<std::string, Event> progress;
  for (auto entry = active_.begin(); entry != active_.end();) {
    const ActiveJob& active = *entry->second;
    // A finished job stays until its log has told so: its watchers wait for that.
    if (store::IsFinished(active.job.state) && active.told) {
      if (active.log == nullptr) {
        watchers_.End(active.job.id,
                      base::Unavailable("EVENTS_LOST", "the job's event log cannot be written; get the job"));
      }
      const std::string state = store::ToString(active.job.state);
      logger_.Info("a job has finished", {{"job", active.job.id}, {"state", state}});
      metrics_.GetCounter("modelpatch_jobs_finished_total", "Patch jobs that have finished", {{"state", state}})
          .Increment();
      entry = active_.erase(entry);
      continue;
    }
    ++(active.job.state == JobState::kQueued ? queued : running);
    for (const store::StepRecord& step : active.steps) waiting_steps += step.state == StepState::kQueued ? 1 : 0;
    if (active.log != nullptr && active.log->latest_progress().has_value()) {
      progress.emplace(active.job.id, *active.log->latest_progress());
    }
    ++entry;
  }
  metrics_.GetGauge("modelpatch_jobs_queued", "Patch jobs that wait for their first step").Set(queued);
  metrics_.GetGauge("modelpatch_jobs_running", "Patch jobs that have started and not finished").Set(running);
  metrics_.GetGauge("modelpatch_steps_queued", "Steps that wait for a lease").Set(waiting_steps);
  for (const Device& device : leases_.devices()) {
    metrics_.GetGauge("modelpatch_leased_bytes", "Device memory lent to steps", {{"device", device.name}})
        .Set(static_cast<double>(leases_.UsedBytes(device.name)));
  }
  base::MutexLock lock(mutex_);
  progress_ = std::move(progress);
}

void Scheduler::RemoveOrphans() {
  std::error_code code;
  for (std::filesystem::directory_iterator entry(options_.jobs_path, code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string job_id = entry->path().filename().string();
    if (store_.GetJob(job_id).status().code() != absl::StatusCode::kNotFound) continue;
    bool alive = false;
    std::error_code ignored;
    for (std::filesystem::directory_iterator step(entry->path(), ignored), last; !ignored && step != last;
         step.increment(ignored)) {
      alive = alive || executor_.IsAlive(step->path().string());
    }
    if (alive) {
      logger_.Warning("a worker runs for a job that is not known", {{"directory", entry->path().string()}});
    } else if (const absl::Status removed = base::RemoveAll(entry->path().string()); !removed.ok()) {
      logger_.Warning("cannot remove a job's directory", {{"job", job_id}, {"error", std::string(removed.message())}});
    }
  }
}

template <typename Change>
void Scheduler::Post(Change change) {
  base::MutexLock lock(mutex_);
  change(inbox_);
  woken_ = true;
  wake_.NotifyAll();
}

absl::StatusOr<store::JobRecord> Scheduler::Submit(const store::JobRecord& job,
                                                   const std::vector<store::StepRecord>& steps) {
  // The devices never change: no lock is needed to look at them.
  for (size_t i = 0; i < steps.size(); ++i) {
    MP_RETURN_IF_ERROR(base::WithField(leases_.CheckPossible(steps[i].requested_device, steps[i].lease_bytes),
                                       fmt::format("steps[{}]", i)));
  }
  MP_ASSIGN_OR_RETURN(store::CreatedJob created, store_.CreateJob(job, steps));
  if (created.created) {
    logger_.Info("a job was submitted", {{"job", job.id}});
    Post([&](Inbox& inbox) { inbox.changed.insert(job.id); });
  }
  return std::move(created.job);
}

absl::StatusOr<store::JobRecord> Scheduler::Cancel(const std::string& job_id) {
  for (int attempt = 0; attempt < kCancelAttempts; ++attempt) {
    MP_ASSIGN_OR_RETURN(store::JobRecord job, store_.GetJob(job_id));
    if (job.state == JobState::kCancelling) return job;
    const bool queued = job.state == JobState::kQueued;
    const JobState next = queued ? JobState::kCancelled : JobState::kCancelling;
    MP_RETURN_IF_ERROR(
        base::WithContext(store::CheckTransition(job.state, next), fmt::format("patch job '{}'", job_id)));
    job.state = next;
    job.cancel_requested = true;
    std::vector<store::StepRecord> steps;
    if (queued) {
      // None of its steps was ever started.
      job.end_time = clock_.Now();
      MP_ASSIGN_OR_RETURN(steps, store_.ListSteps(job_id));
      for (store::StepRecord& step : steps) step.state = StepState::kCancelled;
    }
    const absl::StatusOr<int64_t> revision = store_.CommitTransition(job, steps, {});
    // ABORTED: the job moved on meanwhile. ILLEGAL_TRANSITION: its steps did, between the two reads above.
    const bool again = revision.status().code() == absl::StatusCode::kAborted ||
                       (queued && revision.status().code() == absl::StatusCode::kFailedPrecondition);
    if (again) continue;
    if (!revision.ok()) return revision.status();
    job.revision = *revision;
    logger_.Info("a job is being cancelled", {{"job", job_id}});
    Post([&](Inbox& inbox) { inbox.changed.insert(job_id); });
    return job;
  }
  return base::Unavailable("JOB_BUSY", fmt::format("patch job '{}' changes too fast; try again", job_id));
}

absl::Status Scheduler::Delete(const std::string& job_id) {
  // Under the lock: a job submitted under the freed name must not reach the inbox before the deletion does.
  base::MutexLock lock(mutex_);
  MP_RETURN_IF_ERROR(store_.DeleteJob(job_id));
  inbox_.deleted.insert(job_id);
  woken_ = true;
  wake_.NotifyAll();
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Scheduler::Subscribe(const std::string& job_id, int64_t from_number,
                                             std::shared_ptr<JobWatcher> watcher) {
  if (from_number < 0) {
    return base::InvalidArgument("BAD_EVENT_NUMBER",
                                 fmt::format("{} is not an event number; give 0 or more", from_number));
  }
  MP_RETURN_IF_ERROR(store_.GetJob(job_id).status());
  base::MutexLock lock(mutex_);
  if (stopping_) return base::Unavailable("SERVER_STOPPING", "the server is stopping; try again when it is back");
  const int64_t id = next_watch_++;
  inbox_.watches.push_back({id, job_id, from_number, std::move(watcher)});
  woken_ = true;
  wake_.NotifyAll();
  return id;
}

void Scheduler::Unsubscribe(int64_t watch_id) {
  Post([&](Inbox& inbox) { inbox.unwatched.insert(watch_id); });
}

void Scheduler::Wake() {
  Post([](Inbox&) {});
}

std::optional<Event> Scheduler::LatestProgress(const std::string& job_id) const {
  base::MutexLock lock(mutex_);
  const auto found = progress_.find(job_id);
  return found == progress_.end() ? std::nullopt : std::optional<Event>(found->second);
}

}  // namespace modelpatch::sched
