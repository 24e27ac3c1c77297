// Errors of the server as absl::Status, and in words.
//
// The details of google.rpc.Status travel as payloads of the absl::Status, under their type URLs, so that nothing is
// lost. Thread safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace grpc {
class Status;
}
namespace google::rpc {
class Status;
}

namespace modelpatch::client {

// What a request did wrong, at one field.
struct FieldViolation {
  // The path of the field, such as `images[3].encoded`.
  std::string field;
  std::string description;
};

// The status of a call, with the details that the server sent.
absl::Status FromGrpcStatus(const grpc::Status& status);

// A status that lies in a message, such as a job's error.
absl::Status FromRpcStatus(const google::rpc::Status& status);

// UPPER_SNAKE, from google.rpc.ErrorInfo; "" if there is none.
std::string ReasonOf(const absl::Status& status);

// From google.rpc.BadRequest; empty if there is none.
std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status);

// All of it for a person to read, without a newline at the end:
//   there is no model 'x'; `modelpatch model list` names those there are
//     NOT_FOUND, reason MODEL_NOT_FOUND
//     field patch_job.spec.model
// The description of a field is left out where it only repeats the message.
std::string Describe(const absl::Status& status);

}  // namespace modelpatch::client
