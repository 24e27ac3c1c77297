// Error values: absl::Status with a machine-readable reason and the path of the field at fault.
//
// Every error that leaves a function of this project is an absl::Status made by the functions below, so that the server
// can turn it into google.rpc.ErrorInfo (reason) and google.rpc.BadRequest (field path) without knowing who made it.
// Thread safety: all functions are pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace modelpatch::base {

// An error whose `reason` is UPPER_SNAKE and stable (clients may switch on it), and whose `message` says what was
// wrong, with the offending value, and what would be right.
absl::Status Error(absl::StatusCode code, std::string_view reason, std::string_view message);

absl::Status InvalidArgument(std::string_view reason, std::string_view message);
absl::Status NotFound(std::string_view reason, std::string_view message);
absl::Status AlreadyExists(std::string_view reason, std::string_view message);
absl::Status FailedPrecondition(std::string_view reason, std::string_view message);
absl::Status PermissionDenied(std::string_view reason, std::string_view message);
absl::Status ResourceExhausted(std::string_view reason, std::string_view message);
absl::Status Unavailable(std::string_view reason, std::string_view message);
absl::Status DataLoss(std::string_view reason, std::string_view message);
absl::Status Cancelled(std::string_view message);
absl::Status DeadlineExceeded(std::string_view message);
absl::Status Internal(std::string_view reason, std::string_view message);

// The error of the failed system call named by `what`, from `errno_value`: ENOSPC is RESOURCE_EXHAUSTED (DISK_FULL),
// ENOENT NOT_FOUND, EACCES PERMISSION_DENIED, and so on.
absl::Status ErrnoError(int errno_value, std::string_view what);

// `status` with `field` put before its field path: WithField(WithField(s, "data"), "images[3]") names `images[3].data`.
// An OK status is returned as it is.
absl::Status WithField(absl::Status status, std::string_view field);

// `status` with `context` and ": " put before its message; code, reason and field stay.
absl::Status WithContext(const absl::Status& status, std::string_view context);

// The reason of an error, or "" if it has none.
std::string ReasonOf(const absl::Status& status);

// The field path of an error, or "" if it has none.
std::string FieldOf(const absl::Status& status);

}  // namespace modelpatch::base

#define MP_CONCAT_INNER(a, b) a##b
#define MP_CONCAT(a, b) MP_CONCAT_INNER(a, b)

// Returns from the enclosing function if `expression` (an absl::Status) is an error.
#define MP_RETURN_IF_ERROR(expression)                                            \
  do {                                                                            \
    if (absl::Status mp_status = (expression); !mp_status.ok()) return mp_status; \
  } while (false)

// Evaluates `expression` (an absl::StatusOr<T>); returns its error, or assigns its value to `target`.
#define MP_ASSIGN_OR_RETURN(target, expression) \
  MP_ASSIGN_OR_RETURN_INNER(MP_CONCAT(mp_or_, __LINE__), target, expression)
#define MP_ASSIGN_OR_RETURN_INNER(variable, target, expression) \
  auto variable = (expression);                                 \
  if (!variable.ok()) return std::move(variable).status();      \
  target = *std::move(variable)
