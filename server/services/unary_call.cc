#include "server/services/unary_call.h"

#include <chrono>
#include <utility>

#include "core/tensor/guard.h"
#include "server/status_conversion.h"

namespace modelpatch::server {

base::SteadyTime SteadyDeadline(const grpc::CallbackServerContext& context) {
  const auto deadline = context.deadline();
  const auto now = std::chrono::system_clock::now();
  // A call without a deadline has one at the end of time, which must not overflow.
  if (deadline - now > std::chrono::hours(24 * 365)) return base::SteadyTime::max();
  return std::chrono::steady_clock::now() + (deadline - now);
}

UnaryCall::UnaryCall(const grpc::CallbackServerContext& context)
    : deadline_(SteadyDeadline(context)), start_(std::chrono::steady_clock::now()), client_(context.peer()) {}

absl::Status UnaryCall::CheckWanted() const {
  if (std::chrono::steady_clock::now() >= deadline_) {
    return base::DeadlineExceeded("the deadline passed before the work began; allow more time or send less at once");
  }
  return cancellation().Check();
}

void UnaryCall::Answer(const absl::Status& status) { Finish(ToGrpcStatus(status)); }

grpc::ServerUnaryReactor* StartOn(base::Executor& executor, const grpc::CallbackServerContext& context,
                                  std::function<absl::Status(UnaryCall*)> start) {
  auto* call = new UnaryCall(context);
  executor.Schedule([call, start = std::move(start)] {
    absl::Status status = call->CheckWanted();
    if (status.ok()) status = tensor::Guarded([&] { return start(call); });
    if (!status.ok()) call->Answer(status);
  });
  return call;
}

grpc::ServerUnaryReactor* RunOn(base::Executor& executor, const grpc::CallbackServerContext& context,
                                std::function<absl::Status(const UnaryCall&)> work) {
  auto* call = new UnaryCall(context);
  executor.Schedule([call, work = std::move(work)] {
    absl::Status status = call->CheckWanted();
    if (status.ok()) status = tensor::Guarded([&] { return work(*call); });
    call->Answer(status);
  });
  return call;
}

}  // namespace modelpatch::server
