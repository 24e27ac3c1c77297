// A call with one request and one response, once or until the server is there. Thread-safe.
#pragma once

#include <grpcpp/client_context.h>

#include <chrono>

#include "absl/status/statusor.h"
#include "client/retry.h"
#include "client/status_details.h"

namespace modelpatch::client {

template <typename Stub, typename Request, typename Response>
using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

inline void SetDeadline(grpc::ClientContext& context, std::chrono::milliseconds deadline) {
  context.set_deadline(std::chrono::system_clock::now() + deadline);
}

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> CallOnce(Stub& stub, Method<Stub, Request, Response> method, const Request& request,
                                  std::chrono::milliseconds deadline) {
  grpc::ClientContext context;
  SetDeadline(context, deadline);
  Response response;
  absl::Status status = FromGrpcStatus((stub.*method)(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

// For idempotent calls.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> CallWithRetry(Stub& stub, Method<Stub, Request, Response> method, const Request& request,
                                       std::chrono::milliseconds deadline, const RetryPolicy& policy) {
  absl::StatusOr<Response> result = absl::UnknownError("not called");
  const absl::Status status = Retry(policy, [&] {
    result = CallOnce(stub, method, request, deadline);
    return result.status();
  });
  if (!status.ok()) return status;
  return result;
}

}  // namespace modelpatch::client
