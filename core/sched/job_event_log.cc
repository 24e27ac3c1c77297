#include "core/sched/job_event_log.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/file.h"
#include "core/sched/step_directory.h"

namespace modelpatch::sched {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kReadAtOnce = 256;

Json ErrorJson(int code, const std::string& reason, const std::string& message) {
  return {{"code", absl::StatusCodeToString(static_cast<absl::StatusCode>(code))},
          {"reason", reason},
          {"message", message}};
}

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string TextIn(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string Told(const std::string& state, int64_t attempt) { return fmt::format("{} {}", state, attempt); }

}  // namespace

bool IsLastEvent(const Event& event) {
  if (event.type != kJobStateEvent || event.step >= 0) return false;
  const Json data = Json::parse(event.data, nullptr, false);
  if (!data.is_object()) return false;
  const absl::StatusOr<store::JobState> state = store::ParseJobState(TextIn(data, "state"));
  return state.ok() && store::IsFinished(*state);
}

absl::StatusOr<std::unique_ptr<JobEventLog>> JobEventLog::Open(const std::string& job_directory,
                                                               const base::Clock& clock) {
  MP_RETURN_IF_ERROR(base::CreateDirectories(job_directory));
  MP_ASSIGN_OR_RETURN(EventLogWriter writer, EventLogWriter::Open(EventLogPath(job_directory), clock));
  std::unique_ptr<JobEventLog> log(new JobEventLog(job_directory, std::move(writer)));
  MP_RETURN_IF_ERROR(log->Recover());
  return log;
}

absl::Status JobEventLog::Recover() {
  EventLogReader reader(EventLogPath(job_directory_));
  while (true) {
    MP_ASSIGN_OR_RETURN(const std::vector<Event> events, reader.Poll(kReadAtOnce));
    if (events.empty()) return absl::OkStatus();
    for (const Event& event : events) Remember(event);
  }
}

void JobEventLog::Remember(const Event& event) {
  if (event.step >= 0 && event.step_event > 0) {
    steps_[event.step].merged = event.step_event;
    if (event.type == kProgressEvent) latest_progress_ = event;
    return;
  }
  if (event.type != kJobStateEvent && event.type != kStepStateEvent) return;
  const Json data = Json::parse(event.data, nullptr, false);
  if (!data.is_object()) return;
  if (event.step < 0) {
    told_ = TextIn(data, "state");
    return;
  }
  const auto attempt = data.find("attempt");
  const bool known = attempt != data.end() && attempt->is_number_integer();
  steps_[event.step].told = Told(TextIn(data, "state"), known ? attempt->get<int64_t>() : 0);
}

absl::StatusOr<bool> JobEventLog::MergeStep(const store::StepRecord& step) {
  StepCursor& cursor = steps_[step.index];
  if (cursor.reader == nullptr) {
    cursor.reader =
        std::make_unique<EventLogReader>(EventLogPath(StepDirectory(job_directory_, step.index, step.name)));
  }
  bool appended = false;
  while (true) {
    if (cursor.read.empty()) {
      MP_ASSIGN_OR_RETURN(std::vector<Event> events, cursor.reader->Poll(kReadAtOnce));
      if (events.empty()) return appended;
      cursor.read.assign(std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
    }
    while (!cursor.read.empty()) {
      Event event = cursor.read.front();
      // States are the scheduler's to tell, whatever a worker writes.
      if (event.number > cursor.merged && event.type != kJobStateEvent && event.type != kStepStateEvent) {
        event.step = step.index;
        event.step_event = event.number;
        const absl::StatusOr<int64_t> number = writer_.Append(event);
        // An event that cannot be one here is left out; a disk that is full now may not be so later.
        if (!number.ok() && number.status().code() != absl::StatusCode::kInvalidArgument) return number.status();
        if (number.ok()) {
          event.number = *number;
          Remember(event);
          appended = true;
        }
      }
      cursor.read.pop_front();
    }
  }
}

absl::Status JobEventLog::PublishStep(const store::StepRecord& step) {
  const std::string state = store::ToString(step.state);
  StepCursor& cursor = steps_[step.index];
  const std::string now = Told(state, step.attempt);
  if (cursor.told == now) return absl::OkStatus();
  Json data = {{"name", step.name},
               {"state", state},
               {"attempt", step.attempt},
               {"maximum_attempts", step.maximum_attempts},
               {"device", step.device}};
  if (step.error_code != 0) data["error"] = ErrorJson(step.error_code, step.error_reason, step.error_message);
  Event event;
  event.type = kStepStateEvent;
  event.step = step.index;
  event.data = Dump(data);
  MP_RETURN_IF_ERROR(writer_.Append(event).status());
  cursor.told = now;
  return absl::OkStatus();
}

absl::Status JobEventLog::PublishJob(const store::JobRecord& job) {
  const std::string state = store::ToString(job.state);
  if (told_ == state) return absl::OkStatus();
  Json data = {{"state", state}};
  if (job.error_code != 0) data["error"] = ErrorJson(job.error_code, job.error_reason, job.error_message);
  MP_RETURN_IF_ERROR(writer_.Append(kJobStateEvent, Dump(data)).status());
  told_ = state;
  return absl::OkStatus();
}

}  // namespace modelpatch::sched
