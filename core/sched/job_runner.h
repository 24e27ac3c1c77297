// JobRunner: moves one job on by what it sees: starts steps, follows them, records their ends.
//
// Every change of state is a transaction in the metadata store first, and then an event. If the server dies between any
// two lines of this, Load finds out where the job was: from the store, the step directories and the event log. Thread
// safety: belongs to the scheduler's thread, as all that it is given but the store and the clock.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/status.h"
#include "core/sched/job_event_log.h"
#include "core/sched/lease_table.h"
#include "core/sched/step_completion.h"
#include "core/sched/step_executor.h"
#include "core/store/metadata_store.h"

namespace modelpatch::sched {

// An unfinished job, or one that finished in this tick. Invariant: a step has a lease here if and only if it is
// RUNNING.
struct ActiveJob {
  store::JobRecord job;
  std::vector<store::StepRecord> steps;
  std::unique_ptr<JobEventLog> log;            // null if it cannot be opened: the job goes on without events
  std::map<int, Lease> leases;                 // by step
  std::optional<base::SteadyTime> not_before;  // after a failed write: when to try again
  bool settled = false;                        // nothing more follows from the steps' states
  bool told = false;                           // the log has all states
};

class JobRunner {
 public:
  // All must outlive the runner.
  JobRunner(std::string jobs_path, int threads, store::MetadataStore& store, StepExecutor& executor,
            StepCompletion& completion, LeaseTable& leases, const base::Clock& clock, base::Logger& logger);

  // A job from the store. Steps that were running are followed again, under their leases; ones that never started are
  // queued again.
  absl::StatusOr<std::unique_ptr<ActiveJob>> Load(const std::string& job_id);

  // Reads the records again, after somebody else (Scheduler::Cancel) changed them.
  absl::Status Reload(ActiveJob& active);

  // Follows running steps and draws all conclusions.
  void Advance(ActiveJob& active);

  // Starts queued steps for which there is a lease. A device that a step had to wait for is added to `withheld`, so
  // that no later step overtakes it there.
  void StartSteps(ActiveJob& active, std::set<std::string>& withheld);

  // Writes the "state" event of a finished job if its log lacks it.
  absl::Status CompleteLog(const store::JobRecord& job);

 private:
  // What is to be committed: copies of the records, changed.
  struct Change {
    store::JobRecord job;
    std::vector<store::StepRecord> steps;
  };

  std::string DirectoryOf(const store::StepRecord& step) const;
  absl::Status FinishStep(ActiveJob& active, int index);
  void StartStep(ActiveJob& active, int index, const Lease& lease);
  // FAILED, or QUEUED again if attempts remain and `error` may pass.
  void SetFailed(store::StepRecord& step, const absl::Status& error) const;
  // Fails a step that could not be started.
  void Refuse(ActiveJob& active, int index, const absl::Status& error);
  // Draws the conclusions of the steps' states for other steps and the job.
  void Settle(const ActiveJob& active, Change& change);
  // Stores what differs from `active`, then tells it. On an error, `active` is as it was, or as the store has it.
  absl::Status Commit(ActiveJob& active, Change change, const std::vector<store::CheckpointRecord>& checkpoints = {});
  void Publish(ActiveJob& active);
  void MergeEvents(ActiveJob& active, const store::StepRecord& step);

  const std::string jobs_path_;
  const int threads_;
  store::MetadataStore& store_;
  StepExecutor& executor_;
  StepCompletion& completion_;
  LeaseTable& leases_;
  const base::Clock& clock_;
  base::Logger& logger_;
};

}  // namespace modelpatch::sched
