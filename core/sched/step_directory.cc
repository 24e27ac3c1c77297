#include "core/sched/step_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/sched/descriptor.h"

namespace modelpatch::sched {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kMaximumSpecBytes = uint64_t{64} << 20;
constexpr uint64_t kMaximumSmallFileBytes = uint64_t{64} << 10;
constexpr int64_t kTailBytes = 16 << 10;
constexpr int kTailLines = 20;

std::string PathIn(const std::string& directory, const char* name) { return directory + "/" + name; }

bool Exists(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0;
}

// The object in a small file, or null if there is none.
Json ReadObject(const std::string& path) {
  const absl::StatusOr<std::string> text = base::ReadFile(path, kMaximumSmallFileBytes);
  if (!text.ok()) return nullptr;
  Json json = Json::parse(*text, nullptr, false);
  return json.is_object() ? json : Json(nullptr);
}

std::optional<int64_t> IntegerIn(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<int64_t>();
}

std::string TextIn(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

absl::StatusCode CodeNamed(const std::string& name) {
  for (int code = 1; code <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++code) {
    if (absl::StatusCodeToString(static_cast<absl::StatusCode>(code)) == name)
      return static_cast<absl::StatusCode>(code);
  }
  return absl::StatusCode::kInternal;
}

absl::Status WorkerDied(const std::string& directory, const std::string& how) {
  const std::string tail = ReadLogTail(directory, kTailLines);
  const std::string log = tail.empty() ? "its log is empty" : "the end of its log:\n" + tail;
  return base::Error(absl::StatusCode::kAborted, "WORKER_DIED", fmt::format("the worker {}; {}", how, log));
}

}  // namespace

std::string JobDirectory(const std::string& jobs_path, const std::string& job_id) { return jobs_path + "/" + job_id; }

std::string StepDirectory(const std::string& job_directory, int index, const std::string& name) {
  return fmt::format("{}/{}-{}", job_directory, index, name);
}

std::string EventLogPath(const std::string& directory) { return PathIn(directory, "events.jsonl"); }
std::string LogPath(const std::string& step_directory) { return PathIn(step_directory, "log.txt"); }
std::string AliveLockPath(const std::string& step_directory) { return PathIn(step_directory, "alive.lock"); }

absl::Status PrepareStepDirectory(const std::string& step_directory, std::string_view spec) {
  MP_RETURN_IF_ERROR(base::CreateDirectories(step_directory));
  for (const char* name : {"result.json", "error.json", "exit.json", "alive.lock", "pid", "cancel", "lease.json"}) {
    const std::string path = PathIn(step_directory, name);
    if (unlink(path.c_str()) != 0 && errno != ENOENT) {
      return base::ErrnoError(errno, fmt::format("cannot remove '{}'", path));
    }
  }
  return base::WriteFileAtomically(PathIn(step_directory, "spec.json"), spec);
}

absl::StatusOr<std::string> ReadStepSpec(const std::string& step_directory) {
  return base::ReadFile(PathIn(step_directory, "spec.json"), kMaximumSpecBytes);
}

absl::Status WriteStepLease(const std::string& step_directory, const StepLease& lease) {
  const Json json = {{"device", lease.device}, {"bytes", lease.bytes}, {"threads", lease.threads}};
  return base::WriteFileAtomically(PathIn(step_directory, "lease.json"),
                                   json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

absl::StatusOr<StepLease> ReadStepLease(const std::string& step_directory) {
  const std::string path = PathIn(step_directory, "lease.json");
  MP_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaximumSmallFileBytes));
  const Json json = Json::parse(text, nullptr, false);
  StepLease lease;
  if (json.is_object()) {
    const std::optional<int64_t> bytes = IntegerIn(json, "bytes");
    const std::optional<int64_t> threads = IntegerIn(json, "threads");
    lease.device = TextIn(json, "device");
    if (!lease.device.empty() && bytes.value_or(-1) >= 0 && threads.value_or(-1) >= 0 && *threads <= 4096) {
      lease.bytes = *bytes;
      lease.threads = static_cast<int>(*threads);
      return lease;
    }
  }
  return base::InvalidArgument("BAD_LEASE", fmt::format("'{}' is not a lease: {}", path, base::Printable(text)));
}

absl::Status WriteStepResult(const std::string& step_directory, std::string_view result) {
  return base::WriteFileAtomically(PathIn(step_directory, "result.json"), result);
}

absl::Status WriteStepError(const std::string& step_directory, const absl::Status& error) {
  const Json json = {{"code", absl::StatusCodeToString(error.code())},
                     {"reason", base::ReasonOf(error)},
                     {"message", std::string(error.message().substr(0, kMaximumSmallFileBytes / 8))}};
  return base::WriteFileAtomically(PathIn(step_directory, "error.json"),
                                   json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

absl::StatusOr<std::string> ReadStepOutcome(const std::string& step_directory) {
  const Json exit = ReadObject(PathIn(step_directory, "exit.json"));
  if (exit.is_null()) return WorkerDied(step_directory, "vanished together with its supervisor");
  if (const std::optional<int64_t> signal = IntegerIn(exit, "signal"); signal.has_value()) {
    std::string how = fmt::format("was killed by signal {} ({})", *signal, TextIn(exit, "signal_name"));
    if (*signal == 9) how += ", which is also how the kernel ends a process when memory runs out";
    return WorkerDied(step_directory, how);
  }
  const int64_t code = IntegerIn(exit, "exit_code").value_or(-1);
  if (code == 0) {
    absl::StatusOr<std::string> result = base::ReadFile(PathIn(step_directory, "result.json"), kMaximumSpecBytes);
    if (result.ok()) return result;
    return WorkerDied(step_directory, "ended with exit code 0, but without a result");
  }
  const Json error = ReadObject(PathIn(step_directory, "error.json"));
  if (!error.is_null()) {
    const std::string reason = TextIn(error, "reason");
    return base::Error(CodeNamed(TextIn(error, "code")), reason.empty() ? "WORKER_FAILED" : reason,
                       TextIn(error, "message"));
  }
  return WorkerDied(step_directory, fmt::format("ended with exit code {}", code));
}

bool IsLockHeld(const std::string& step_directory) {
  const Descriptor file(open(AliveLockPath(step_directory).c_str(), O_RDONLY | O_CLOEXEC));
  // Shared, so that two who look do not see each other.
  return file.get() >= 0 && flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

bool WasStarted(const std::string& step_directory) { return ReadSupervisorPid(step_directory) != 0; }

absl::Status RequestCancel(const std::string& step_directory) {
  if (IsCancelRequested(step_directory)) return absl::OkStatus();
  return base::WriteFileAtomically(PathIn(step_directory, "cancel"), "");
}

bool IsCancelRequested(const std::string& step_directory) { return Exists(PathIn(step_directory, "cancel")); }

absl::Status WriteSupervisorPid(const std::string& step_directory, int64_t pid) {
  return base::WriteFileAtomically(PathIn(step_directory, "pid"), fmt::format("{}\n", pid));
}

int64_t ReadSupervisorPid(const std::string& step_directory) {
  const absl::StatusOr<std::string> text = base::ReadFile(PathIn(step_directory, "pid"), kMaximumSmallFileBytes);
  int64_t pid = 0;
  if (!text.ok() || std::from_chars(text->data(), text->data() + text->size(), pid).ec != std::errc()) return 0;
  return pid;
}

std::string ReadLogTail(const std::string& step_directory, int lines) {
  const Descriptor file(open(LogPath(step_directory).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return "";
  const int64_t size = std::max<int64_t>(lseek(file.get(), 0, SEEK_END), 0);
  std::string tail(static_cast<size_t>(std::min(size, kTailBytes)), '\0');
  const ssize_t count = pread(file.get(), tail.data(), tail.size(), size - static_cast<int64_t>(tail.size()));
  tail.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
  while (!tail.empty() && (tail.back() == '\n' || tail.back() == '\r')) tail.pop_back();
  size_t begin = tail.size();
  for (int i = 0; i < lines && begin != std::string::npos && begin > 0; ++i) begin = tail.rfind('\n', begin - 1);
  if (begin != std::string::npos && begin < tail.size() && tail[begin] == '\n') tail.erase(0, begin + 1);
  if (base::IsValidUtf8(tail)) return tail;
  std::replace_if(
      tail.begin(), tail.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  return tail;
}

}  // namespace modelpatch::sched
