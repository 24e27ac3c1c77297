// Early returns for absl::Status and absl::StatusOr.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define CLIENT_CONCAT_INNER(a, b) a##b
#define CLIENT_CONCAT(a, b) CLIENT_CONCAT_INNER(a, b)

// Returns from the enclosing function if `expression` (an absl::Status) is an error.
#define CLIENT_RETURN_IF_ERROR(expression)                                                    \
  do {                                                                                        \
    if (absl::Status client_status = (expression); !client_status.ok()) return client_status; \
  } while (false)

// Evaluates `expression` (an absl::StatusOr<T>); returns its error, or assigns its value to `target`.
#define CLIENT_ASSIGN_OR_RETURN(target, expression) \
  CLIENT_ASSIGN_OR_RETURN_INNER(CLIENT_CONCAT(client_or_, __LINE__), target, expression)
#define CLIENT_ASSIGN_OR_RETURN_INNER(variable, target, expression) \
  auto variable = (expression);                                     \
  if (!variable.ok()) return std::move(variable).status();          \
  target = *std::move(variable)
