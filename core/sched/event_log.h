// The event log: an append-only file of one JSON object a line, written by one process and followed by others.
//
//   {"version":1,"number":7,"time":"2026-01-02T03:04:05.678901Z","type":"progress","data":{…}}
//
// `number` counts from 1 and only grows. `data` is any JSON value; this file does not look into it. In the merged log
// of a job, events that come from a step also carry "step" (its index) and "step_event" (their number in the step's own
// log). A line is written with one write(2). A last line without its newline is torn: readers leave it until it is
// complete, and a writer that opens the file again ends it with a newline, so that it counts as a damaged line. Readers
// skip damaged lines, lines that are too long, and versions they do not know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/base/status.h"

namespace modelpatch::sched {

// The most bytes of an event's data, and how deep its JSON may be nested.
inline constexpr size_t kMaximumEventDataBytes = size_t{1} << 20;
inline constexpr int kMaximumEventDepth = 64;

// The types that this project writes. Readers ignore types they do not know.
inline constexpr char kProgressEvent[] = "progress";  // by a worker: how far it is
inline constexpr char kLogEvent[] = "log";            // by a worker: a line for people
inline constexpr char kResultEvent[] = "result";      // by a worker: something it produced on the way
inline constexpr char kJobStateEvent[] = "state";     // by the scheduler: {"state", "error"?}
inline constexpr char kStepStateEvent[] =
    "step_state";  // by the scheduler: {"name", "state", "attempt", "device", "error"?}

struct Event {
  int64_t number = 0;
  std::string time;  // RFC 3339, UTC
  std::string type;  // [a-z][a-z0-9_]*, at most 64 bytes
  std::string data;  // JSON, without line breaks
  int step = -1;
  int64_t step_event = 0;

  bool operator==(const Event&) const = default;
};

// RFC 3339 in UTC with microseconds: 2026-01-02T03:04:05.678901Z.
std::string FormatTimestamp(base::WallTime time);

// Appends to one file, which is open only while it is written: thousands of queued jobs have a log each. Thread safety:
// belongs to one thread. There must be one writer of a file at a time.
class EventLogWriter {
 public:
  // Creates the file, or continues the numbering of what is there. The clock must outlive the writer.
  static absl::StatusOr<EventLogWriter> Open(const std::string& path, const base::Clock& clock);

  // Appends an event and returns its number. INVALID_ARGUMENT (BAD_EVENT) if the type is not a name or the data is not
  // JSON, too large or too deep; RESOURCE_EXHAUSTED (DISK_FULL): the log stays readable and usable.
  absl::StatusOr<int64_t> Append(std::string_view type, std::string_view data);
  // The same for a given event; `number` is assigned, and `time` if it is empty.
  absl::StatusOr<int64_t> Append(Event event);

  int64_t last_number() const { return last_number_; }

 private:
  EventLogWriter(const std::string& path, const base::Clock& clock) : path_(path), clock_(&clock) {}

  std::string path_;
  const base::Clock* clock_;
  int64_t last_number_ = 0;
  bool torn_ = false;  // the file ends in the middle of a line
};

// Follows one file. Thread safety: belongs to one thread; any number of readers may follow a file.
class EventLogReader {
 public:
  explicit EventLogReader(std::string path) : path_(std::move(path)) {}

  // The next complete events, at most `maximum`; none if there are no new ones, or no file yet. Numbers ascend
  // strictly.
  absl::StatusOr<std::vector<Event>> Poll(size_t maximum);

 private:
  // Consumes the line, appends its event if it is one.
  void TakeLine(std::string_view line, std::vector<Event>* events);

  std::string path_;
  int64_t offset_ = 0;
  int64_t last_number_ = 0;
  bool skipping_ = false;  // inside a line that is too long
};

}  // namespace modelpatch::sched
