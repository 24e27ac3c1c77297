// JobWatcher, WatcherList: who follows the events of jobs.
//
// Each watcher reads the job's log on its own (from any number, also of a job that finished long ago) and at its own
// pace: one that is slow is offered an event again later, and nothing is kept for it in memory.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "core/base/status.h"
#include "core/sched/event_log.h"

namespace modelpatch::sched {

// Called by the scheduler's thread, which runs all jobs: must not block, nor call the scheduler's Tick or Stop.
class JobWatcher {
 public:
  virtual ~JobWatcher() = default;

  // The next event. False: not now; the same event is offered again at the next tick.
  virtual bool OnEvent(const Event& event) = 0;

  // Called once, and nothing after it: OK when the event of a finished state has been taken, NOT_FOUND
  // (PATCH_JOB_NOT_FOUND) if the job was deleted, UNAVAILABLE (SERVER_STOPPING) if the scheduler stops, or a read
  // error.
  virtual void OnEnd(const absl::Status& status) = 0;
};

// Thread safety: belongs to the scheduler's thread.
class WatcherList {
 public:
  // Events of `log_path` with numbers >= `from_number`.
  void Add(int64_t id, const std::string& job_id, const std::string& log_path, int64_t from_number,
           std::shared_ptr<JobWatcher> watcher);

  // Without OnEnd. An unknown id is ignored.
  void Remove(int64_t id) { watches_.erase(id); }

  // Ends the watches of one job, or of all if `job_id` is empty.
  void End(const std::string& job_id, const absl::Status& status);

  // Offers each watcher what is new.
  void Deliver();

  bool empty() const { return watches_.empty(); }

 private:
  struct Watch {
    std::string job_id;
    EventLogReader reader;
    int64_t from_number;
    std::shared_ptr<JobWatcher> watcher;
    std::deque<Event> read;  // read, and not yet taken
  };

  // Whether the watch has ended.
  static bool DeliverTo(Watch& watch);

  std::map<int64_t, Watch> watches_;
};

}  // namespace modelpatch::sched
