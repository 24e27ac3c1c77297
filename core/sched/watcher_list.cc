#include "core/sched/watcher_list.h"

#include <iterator>
#include <utility>
#include <vector>

#include "core/sched/job_event_log.h"

namespace modelpatch::sched {
namespace {

constexpr size_t kReadAtOnce = 64;
// So that a watcher of a long log does not hold up the others.
constexpr int kEventsPerTick = 1024;

}  // namespace

void WatcherList::Add(int64_t id, const std::string& job_id, const std::string& log_path, int64_t from_number,
                      std::shared_ptr<JobWatcher> watcher) {
  watches_.emplace(id, Watch{job_id, EventLogReader(log_path), from_number, std::move(watcher), {}});
}

void WatcherList::End(const std::string& job_id, const absl::Status& status) {
  for (auto entry = watches_.begin(); entry != watches_.end();) {
    if (!job_id.empty() && entry->second.job_id != job_id) {
      ++entry;
      continue;
    }
    entry->second.watcher->OnEnd(status);
    entry = watches_.erase(entry);
  }
}

void WatcherList::Deliver() {
  for (auto entry = watches_.begin(); entry != watches_.end();) {
    entry = DeliverTo(entry->second) ? watches_.erase(entry) : std::next(entry);
  }
}

bool WatcherList::DeliverTo(Watch& watch) {
  for (int count = 0; count < kEventsPerTick; ++count) {
    if (watch.read.empty()) {
      absl::StatusOr<std::vector<Event>> events = watch.reader.Poll(kReadAtOnce);
      if (!events.ok()) {
        watch.watcher->OnEnd(events.status());
        return true;
      }
      if (events->empty()) return false;
      watch.read.assign(std::make_move_iterator(events->begin()), std::make_move_iterator(events->end()));
    }
    const Event& event = watch.read.front();
    if (event.number >= watch.from_number && !watch.watcher->OnEvent(event)) return false;
    if (IsLastEvent(event)) {
      watch.watcher->OnEnd(absl::OkStatus());
      return true;
    }
    watch.read.pop_front();
  }
  return false;
}

}  // namespace modelpatch::sched
