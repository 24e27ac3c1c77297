// Scheduler: the durable queue of jobs.
//
// Jobs are taken in the order of their creation; a queued step starts when the steps it depends on have succeeded and
// its device has a lease left. A job itself holds nothing, so that a parallel job cannot wait for its own steps. A step
// whose worker fails fails its job, unless attempts remain and the error may pass (not INVALID_ARGUMENT and the like).
// What is stored where: store/metadata_store.h (states), sched/step_directory.h (files).
//
// Thread safety: all public functions are thread-safe, but Tick, Recover, Start and Stop, which are called by the
// owner, and not at the same time. Submit, Cancel and Delete write to the metadata store in the calling thread (some
// milliseconds). All else happens in one event thread, or in Tick for an owner who has no thread (tests).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/base/mutex.h"
#include "core/base/status.h"
#include "core/sched/job_runner.h"
#include "core/sched/lease_table.h"
#include "core/sched/step_completion.h"
#include "core/sched/step_executor.h"
#include "core/sched/watcher_list.h"
#include "core/store/metadata_store.h"

namespace modelpatch::sched {

struct SchedulerOptions {
  std::string jobs_path;                         // store::DataDirectory::jobs_path()
  std::vector<Device> devices;                   // what can be leased; a machine without CUDA has "cpu"
  int worker_threads = 0;                        // of one worker; 0: the worker chooses
  std::chrono::milliseconds poll_interval{100};  // how often workers and their events are looked at
};

class Scheduler {
 public:
  // All must outlive the scheduler.
  Scheduler(SchedulerOptions options, store::MetadataStore& store, StepExecutor& executor, StepCompletion& completion,
            const base::Clock& clock, base::Logger& logger, base::MetricRegistry& metrics);
  // Stops. Workers go on without it.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Takes up the unfinished jobs in the store: follows workers that still run, concludes those that have ended. Removes
  // directories of jobs that the store does not have. Call it once, before Tick; Start does it itself.
  absl::Status Recover();

  // Recovers, then starts the event thread.
  absl::Status Start();

  // Ends the event thread and all watches. Running workers are left running, for the next server. Idempotent.
  void Stop();

  // One round: messages, running steps, starts, events. For owners who did not call Start.
  void Tick();

  // Stores a new job and its steps, or returns the earlier job of the same request. Errors: those of
  // MetadataStore::CreateJob, and FAILED_PRECONDITION (LEASE_IMPOSSIBLE) if no device could ever run one of the steps.
  absl::StatusOr<store::JobRecord> Submit(const store::JobRecord& job, const std::vector<store::StepRecord>& steps);

  // A queued job is CANCELLED at once, a running one becomes CANCELLING; returns it. Again for a job that is
  // CANCELLING: no change. NOT_FOUND (PATCH_JOB_NOT_FOUND); FAILED_PRECONDITION (ILLEGAL_TRANSITION) for a finished
  // job.
  absl::StatusOr<store::JobRecord> Cancel(const std::string& job_id);

  // Forgets a finished job, ends its watches, and removes its directory soon after. NOT_FOUND (PATCH_JOB_NOT_FOUND),
  // FAILED_PRECONDITION (JOB_NOT_FINISHED).
  absl::Status Delete(const std::string& job_id);

  // Follows a job's events from `from_number` (0 and 1: all), whether it is running or finished. See JobWatcher.
  // NOT_FOUND (PATCH_JOB_NOT_FOUND); INVALID_ARGUMENT (BAD_EVENT_NUMBER) if negative; UNAVAILABLE (SERVER_STOPPING).
  absl::StatusOr<int64_t> Subscribe(const std::string& job_id, int64_t from_number,
                                    std::shared_ptr<JobWatcher> watcher);

  // Ends a watch without OnEnd. A call of the watcher may be running while this returns, and no other comes later than
  // the present tick. Unknown ids are ignored.
  void Unsubscribe(int64_t watch_id);

  // Runs the next round soon: a watcher that said "not now" can take events again.
  void Wake();

  // The last "progress" event of a job's workers; nothing for a job without one, or one that has finished.
  std::optional<Event> LatestProgress(const std::string& job_id) const;

 private:
  struct NewWatch {
    int64_t id;
    std::string job_id;
    int64_t from_number;
    std::shared_ptr<JobWatcher> watcher;
  };

  // What other threads want of the event thread.
  struct Inbox {
    std::set<std::string> changed;  // jobs that are new, or were changed in the store
    std::set<std::string> deleted;
    std::vector<NewWatch> watches;
    std::set<int64_t> unwatched;
  };

  using JobKey = std::pair<base::WallTime, std::string>;  // the order of the queue

  void Run();
  void HandleInbox();
  void HandleChanged(const std::string& job_id);
  void HandleDeleted(const std::string& job_id);
  void HandleWatch(const NewWatch& watch);
  std::map<JobKey, std::unique_ptr<ActiveJob>>::iterator Find(const std::string& job_id);
  // Lets go of jobs that have finished, and shows what others may see of the rest.
  void RetireAndReport();
  void RemoveOrphans();
  // `change` is put into the inbox, and the event thread woken.
  template <typename Change>
  void Post(Change change);

  const SchedulerOptions options_;
  store::MetadataStore& store_;
  StepExecutor& executor_;
  const base::Clock& clock_;
  base::Logger& logger_;
  base::MetricRegistry& metrics_;

  // Belong to the event thread.
  LeaseTable leases_;
  JobRunner runner_;
  std::map<JobKey, std::unique_ptr<ActiveJob>> active_;
  WatcherList watchers_;

  std::thread thread_;

  mutable base::Mutex mutex_;
  base::CondVar wake_;
  Inbox inbox_ MP_GUARDED_BY(mutex_);
  bool woken_ MP_GUARDED_BY(mutex_) = false;
  bool stopping_ MP_GUARDED_BY(mutex_) = false;
  int64_t next_watch_ MP_GUARDED_BY(mutex_) = 1;
  std::map<std::string, Event> progress_ MP_GUARDED_BY(mutex_);
};

}  // namespace modelpatch::sched
