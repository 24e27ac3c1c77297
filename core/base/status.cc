#include "core/base/status.h"

#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/cord.h"

namespace modelpatch::base {
namespace {

constexpr char kReasonUrl[] = "modelpatch/reason";
constexpr char kFieldUrl[] = "modelpatch/field";

std::string PayloadOf(const absl::Status& status, const char* url) {
  const auto payload = status.GetPayload(url);
  return payload.has_value() ? std::string(*payload) : std::string();
}

absl::Status MakeStatus(absl::StatusCode code, std::string_view message) {
  return absl::Status(code, absl::string_view(message.data(), message.size()));
}

absl::Cord MakeCord(std::string_view text) { return absl::Cord(absl::string_view(text.data(), text.size())); }

}  // namespace

absl::Status Error(absl::StatusCode code, std::string_view reason, std::string_view message) {
  absl::Status status = MakeStatus(code, message);
  status.SetPayload(kReasonUrl, MakeCord(reason));
  return status;
}

absl::Status InvalidArgument(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, reason, message);
}
absl::Status NotFound(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kNotFound, reason, message);
}
absl::Status AlreadyExists(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kAlreadyExists, reason, message);
}
absl::Status FailedPrecondition(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kFailedPrecondition, reason, message);
}
absl::Status PermissionDenied(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kPermissionDenied, reason, message);
}
absl::Status ResourceExhausted(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kResourceExhausted, reason, message);
}
absl::Status Unavailable(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kUnavailable, reason, message);
}
absl::Status DataLoss(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kDataLoss, reason, message);
}
absl::Status Cancelled(std::string_view message) { return Error(absl::StatusCode::kCancelled, "CANCELLED", message); }
absl::Status DeadlineExceeded(std::string_view message) {
  return Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED", message);
}
absl::Status Internal(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kInternal, reason, message);
}

absl::Status ErrnoError(int errno_value, std::string_view what) {
  const std::string message = std::string(what) + ": " + std::strerror(errno_value);
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
      return ResourceExhausted("DISK_FULL", message + "; free some space and try again");
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
      return ResourceExhausted("SYSTEM_LIMIT", message);
    case ENOENT:
    case ENOTDIR:
      return NotFound("FILE_NOT_FOUND", message);
    case EACCES:
    case EPERM:
    case EROFS:
      return PermissionDenied("FILE_PERMISSION", message);
    case EEXIST:
      return AlreadyExists("FILE_EXISTS", message);
    case ENAMETOOLONG:
    case ELOOP:
    case EISDIR:
    case EINVAL:
      return InvalidArgument("BAD_PATH", message);
    case ENXIO:  // a socket, or a device that is not there
    case ENODEV:
      return InvalidArgument("NOT_A_REGULAR_FILE", message);
    default:
      return Unavailable("IO_ERROR", message);
  }
}

absl::Status WithField(absl::Status status, std::string_view field) {
  if (status.ok()) return status;
  std::string path(field);
  if (const std::string inner = FieldOf(status); !inner.empty()) path += "." + inner;
  status.SetPayload(kFieldUrl, MakeCord(path));
  return status;
}

absl::Status WithContext(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  absl::Status result = MakeStatus(status.code(), std::string(context) + ": " + std::string(status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) { result.SetPayload(url, payload); });
  return result;
}

std::string ReasonOf(const absl::Status& status) { return PayloadOf(status, kReasonUrl); }
std::string FieldOf(const absl::Status& status) { return PayloadOf(status, kFieldUrl); }

}  // namespace modelpatch::base
