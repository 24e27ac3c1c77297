// absl::Status to grpc::Status, with google.rpc.Status as its details: ErrorInfo (the reason, domain `modelpatch`),
// BadRequest (the field's path) for INVALID_ARGUMENT and whatever else names a field, RetryInfo where waiting helps.
//
// Pure functions.
#pragma once

#include <grpcpp/support/status.h>

#include "core/base/status.h"
#include "google/rpc/status.pb.h"

namespace modelpatch::server {

google::rpc::Status ToRpcStatus(const absl::Status& status);

// The details travel in `grpc-status-details-bin`.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace modelpatch::server
