// UnaryCall: one call that answers once, with the client's deadline and cancellation.
//
// It deletes itself after its answer has gone. Work is handed to an executor, so that gRPC's threads never block; a
// call that its client has given up, or whose deadline has passed, is answered without doing the work.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <string>

#include "core/base/cancellation.h"
#include "core/base/clock.h"
#include "core/base/executor.h"
#include "core/base/status.h"

namespace modelpatch::server {

// A gRPC deadline on the steady clock.
base::SteadyTime SteadyDeadline(const grpc::CallbackServerContext& context);

class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  explicit UnaryCall(const grpc::CallbackServerContext& context);

  base::CancellationToken cancellation() const { return cancellation_.token(); }
  base::SteadyTime deadline() const { return deadline_; }
  base::SteadyTime start() const { return start_; }
  // The connection that it came over: clients are served in turn.
  const std::string& client() const { return client_; }

  // CANCELLED or DEADLINE_EXCEEDED if nobody waits for the answer any more.
  absl::Status CheckWanted() const;

  // Call it exactly once; the call may be gone when it returns, and with it request and response.
  void Answer(const absl::Status& status);

 private:
  ~UnaryCall() override = default;
  void OnCancel() override { cancellation_.Cancel(); }
  void OnDone() override { delete this; }

  base::CancellationSource cancellation_;
  const base::SteadyTime deadline_;
  const base::SteadyTime start_;
  const std::string client_;
};

// Does `start` on `executor`: checks that may block, and then hands the call on to what answers it. If it fails, or its
// client has gone, the call is answered here.
grpc::ServerUnaryReactor* StartOn(base::Executor& executor, const grpc::CallbackServerContext& context,
                                  std::function<absl::Status(UnaryCall*)> start);

// Runs `work` on `executor` and answers with what it returns. An exception (memory that could not be had) is an error
// too.
grpc::ServerUnaryReactor* RunOn(base::Executor& executor, const grpc::CallbackServerContext& context,
                                std::function<absl::Status(const UnaryCall&)> work);

}  // namespace modelpatch::server
