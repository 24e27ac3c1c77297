// What an absl::Status is to a client. As grpc::Status it has google.rpc.Status as its details: ErrorInfo (the reason,
// domain `modelpatch`), BadRequest (the field's path) for INVALID_ARGUMENT and whatever else names a field, RetryInfo
// where waiting helps.
//
// Pure functions.
#pragma once

#include <grpcpp/support/status.h>

#include <string_view>

#include "core/base/status.h"
#include "google/rpc/status.pb.h"

namespace modelpatch::server {

// `status` with `field` alone as its field path: for an inner path, of a file's content, that is none of the request's.
absl::Status AtField(const absl::Status& status, std::string_view field);

google::rpc::Status ToRpcStatus(const absl::Status& status);

// The error of a request whose bytes are no message of its call.
absl::Status MalformedRequest();

// The details travel in `grpc-status-details-bin`.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace modelpatch::server
