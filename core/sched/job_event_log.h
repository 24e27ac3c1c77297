// JobEventLog: the one stream of a job's events, which watchers follow and can read again from any number.
//
// jobs/<job id>/events.jsonl (format: event_log.h) holds, merged in the order in which the scheduler saw them, the
// events of all steps and the changes of state. The stream ends with the "state" event of a finished state. After a
// crash, what is missing is added: the log itself says how far each step's events were merged and which states were
// told last. Thread safety: belongs to the scheduler's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/base/clock.h"
#include "core/base/status.h"
#include "core/sched/event_log.h"
#include "core/store/records.h"

namespace modelpatch::sched {

// Whether the event says that its job has finished: the last of its stream.
bool IsLastEvent(const Event& event);

class JobEventLog {
 public:
  // Makes the job's directory if there is none. The clock must outlive the log.
  static absl::StatusOr<std::unique_ptr<JobEventLog>> Open(const std::string& job_directory, const base::Clock& clock);

  // Appends the step's new events, those that are there now. True if anything was appended.
  absl::StatusOr<bool> MergeStep(const store::StepRecord& step);

  // Append an event if the state is not the one told last.
  absl::Status PublishStep(const store::StepRecord& step);
  absl::Status PublishJob(const store::JobRecord& job);

  // The last "progress" event of any step.
  const std::optional<Event>& latest_progress() const { return latest_progress_; }

 private:
  struct StepCursor {
    std::unique_ptr<EventLogReader> reader;
    std::deque<Event> read;  // read, and not yet appended
    int64_t merged = 0;      // number of the last event appended
    std::string told;        // state and attempt told last
  };

  JobEventLog(std::string job_directory, EventLogWriter writer)
      : job_directory_(std::move(job_directory)), writer_(std::move(writer)) {}

  // Reads what is known from the log.
  absl::Status Recover();
  void Remember(const Event& event);

  const std::string job_directory_;
  EventLogWriter writer_;
  std::map<int, StepCursor> steps_;
  std::string told_;  // the job's state told last
  std::optional<Event> latest_progress_;
};

}  // namespace modelpatch::sched
