#include "core/sched/event_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/text.h"
#include "core/sched/descriptor.h"

namespace modelpatch::sched {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr size_t kMaximumTypeBytes = 64;
// The data and the envelope.
constexpr size_t kMaximumLineBytes = kMaximumEventDataBytes + 4096;
constexpr size_t kReadBytes = size_t{64} << 10;

bool IsTypeName(std::string_view type) {
  if (type.empty() || type.size() > kMaximumTypeBytes || type.front() < 'a' || type.front() > 'z') return false;
  return std::all_of(type.begin(), type.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

// Deep nesting would exhaust the stack of a recursive writer: look before parsing.
bool IsTooDeep(std::string_view json, int maximum) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > maximum) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

absl::Status CheckEvent(const Event& event) {
  if (!IsTypeName(event.type)) {
    return base::InvalidArgument(
        "BAD_EVENT",
        fmt::format("'{}' is not the type of an event; give a name such as 'progress'", base::Printable(event.type)));
  }
  if (event.data.size() > kMaximumEventDataBytes) {
    return base::InvalidArgument(
        "BAD_EVENT", fmt::format("the data of a '{}' event has {} bytes; at most {} are allowed", event.type,
                                 event.data.size(), kMaximumEventDataBytes));
  }
  if (IsTooDeep(event.data, kMaximumEventDepth) || !Json::accept(event.data)) {
    return base::InvalidArgument(
        "BAD_EVENT", fmt::format("the data of a '{}' event is not JSON of at most {} levels: {}", event.type,
                                 kMaximumEventDepth, base::Printable(event.data)));
  }
  return absl::OkStatus();
}

// The event of a line, or nothing if it is damaged or of a version unknown here.
std::optional<Event> ParseLine(std::string_view line) {
  if (line.empty() || line.size() > kMaximumLineBytes || IsTooDeep(line, kMaximumEventDepth + 1)) return std::nullopt;
  const Json json = Json::parse(line, nullptr, false);
  const auto field = [&](const char* name) -> const Json* {
    const auto found = json.find(name);
    return found == json.end() ? nullptr : &*found;
  };
  if (!json.is_object()) return std::nullopt;
  const Json* version = field("version");
  const Json* number = field("number");
  const Json* time = field("time");
  const Json* type = field("type");
  const Json* data = field("data");
  if (version == nullptr || !version->is_number_integer() || *version != kVersion) return std::nullopt;
  if (number == nullptr || !number->is_number_integer() || time == nullptr || !time->is_string()) return std::nullopt;
  if (type == nullptr || !type->is_string() || data == nullptr) return std::nullopt;
  Event event;
  event.number = number->get<int64_t>();
  event.time = time->get<std::string>();
  event.type = type->get<std::string>();
  event.data = data->dump();
  if (const Json* step = field("step"); step != nullptr && step->is_number_integer()) event.step = step->get<int>();
  if (const Json* origin = field("step_event"); origin != nullptr && origin->is_number_integer()) {
    event.step_event = origin->get<int64_t>();
  }
  return event;
}

std::string FormatLine(const Event& event) {
  std::string data = event.data;
  // Between the tokens of JSON, a line break is a space; inside strings it cannot be.
  std::replace(data.begin(), data.end(), '\n', ' ');
  std::replace(data.begin(), data.end(), '\r', ' ');
  std::string origin;
  if (event.step >= 0) origin = fmt::format(R"("step":{},"step_event":{},)", event.step, event.step_event);
  return fmt::format(R"({{"version":{},"number":{},"time":{},"type":"{}",{}"data":{}}})", kVersion, event.number,
                     Json(event.time).dump(-1, ' ', false, Json::error_handler_t::replace), event.type, origin, data);
}

// The bytes of [offset, offset + size) that are there.
absl::StatusOr<std::string> ReadAt(int descriptor, int64_t offset, size_t size, const std::string& path) {
  std::string bytes(size, '\0');
  ssize_t count = 0;
  do {
    count = pread(descriptor, bytes.data(), size, offset);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return base::ErrnoError(errno, fmt::format("cannot read '{}'", path));
  bytes.resize(static_cast<size_t>(count));
  return bytes;
}

}  // namespace

std::string FormatTimestamp(base::WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t whole = std::chrono::system_clock::to_time_t(seconds);
  std::tm parts{};
  gmtime_r(&whole, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (time - seconds).count());
}

absl::StatusOr<EventLogWriter> EventLogWriter::Open(const std::string& path, const base::Clock& clock) {
  const Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (file.get() < 0) return base::ErrnoError(errno, fmt::format("cannot open '{}'", path));
  EventLogWriter writer(path, clock);
  const off_t size = lseek(file.get(), 0, SEEK_END);
  if (size <= 0) return writer;
  MP_ASSIGN_OR_RETURN(const std::string last, ReadAt(file.get(), size - 1, 1, path));
  // A torn line could turn out to be a whole event without its newline: end it before looking at the numbers.
  if (last != "\n" && write(file.get(), "\n", 1) != 1)
    return base::ErrnoError(errno, fmt::format("cannot write '{}'", path));
  EventLogReader reader(path);
  while (true) {
    MP_ASSIGN_OR_RETURN(const std::vector<Event> events, reader.Poll(1024));
    if (events.empty()) return writer;
    writer.last_number_ = events.back().number;
  }
}

absl::StatusOr<int64_t> EventLogWriter::Append(std::string_view type, std::string_view data) {
  Event event;
  event.type = type;
  event.data = data;
  return Append(std::move(event));
}

absl::StatusOr<int64_t> EventLogWriter::Append(Event event) {
  MP_RETURN_IF_ERROR(CheckEvent(event));
  event.number = last_number_ + 1;
  if (event.time.empty()) event.time = FormatTimestamp(clock_->Now());
  const std::string line = (torn_ ? "\n" : "") + FormatLine(event) + "\n";
  const Descriptor file(open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (file.get() < 0) return base::ErrnoError(errno, fmt::format("cannot open '{}'", path_));
  ssize_t written = 0;
  do {
    written = write(file.get(), line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(line.size())) {
    torn_ = false;
    last_number_ = event.number;
    return event.number;
  }
  // Less than all was written: the disk is full. The next line begins with a newline and leaves the fragment behind.
  const int cause = written < 0 ? errno : ENOSPC;
  if (written > 0) torn_ = line[static_cast<size_t>(written) - 1] != '\n';
  // All but the newline makes a whole event to whoever ends the line.
  if (written == static_cast<ssize_t>(line.size()) - 1) last_number_ = event.number;
  return base::ErrnoError(cause, fmt::format("cannot write '{}'", path_));
}

absl::StatusOr<std::vector<Event>> EventLogReader::Poll(size_t maximum) {
  std::vector<Event> events;
  const Descriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    if (errno == ENOENT) return events;
    return base::ErrnoError(errno, fmt::format("cannot open '{}'", path_));
  }
  std::string buffer;  // the file from offset_ on
  while (events.size() < maximum) {
    const size_t end = buffer.find('\n');
    if (end != std::string::npos) {
      TakeLine(std::string_view(buffer).substr(0, end), &events);
      buffer.erase(0, end + 1);
      offset_ += static_cast<int64_t>(end) + 1;
      continue;
    }
    if (skipping_ || buffer.size() > kMaximumLineBytes) {
      skipping_ = true;
      offset_ += static_cast<int64_t>(buffer.size());
      buffer.clear();
    }
    MP_ASSIGN_OR_RETURN(const std::string more,
                        ReadAt(file.get(), offset_ + static_cast<int64_t>(buffer.size()), kReadBytes, path_));
    if (more.empty()) break;
    buffer += more;
  }
  return events;
}

void EventLogReader::TakeLine(std::string_view line, std::vector<Event>* events) {
  if (skipping_) {
    skipping_ = false;
    return;
  }
  std::optional<Event> event = ParseLine(line);
  if (!event.has_value() || event->number <= last_number_) return;
  last_number_ = event->number;
  events->push_back(*std::move(event));
}

}  // namespace modelpatch::sched
