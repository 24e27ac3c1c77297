#include "client/load/grpc_caller.h"

#include <grpcpp/grpcpp.h>

#include <future>
#include <utility>

#include "client/channel.h"
#include "client/status_details.h"

namespace modelpatch::client {
namespace {

struct Call {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
};

std::string CodeName(const grpc::Status& status) {
  // The numbers of gRPC's codes are absl's.
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(status.error_code()));
}

}  // namespace

GrpcCaller::GrpcCaller(const std::string& address, int connections, std::chrono::milliseconds deadline,
                       const RequestMaker& maker)
    : deadline_(deadline), maker_(maker) {
  for (int i = 0; i < connections; ++i) {
    stubs_.push_back(std::make_unique<grpc::GenericStub>(MakeUnsharedChannel(address)));
  }
}

void GrpcCaller::Start(uint64_t number, std::function<void(std::string)> done) {
  Send(number, [done = std::move(done)](const grpc::Status& status) { done(CodeName(status)); });
}

absl::Status GrpcCaller::TryOnce() {
  // Shared: who waits may be gone before the value has wholly been set.
  const auto answer = std::make_shared<std::promise<absl::Status>>();
  Send(0, [answer](const grpc::Status& status) { answer->set_value(FromGrpcStatus(status)); });
  return answer->get_future().get();
}

void GrpcCaller::Send(uint64_t number, std::function<void(const grpc::Status&)> done) {
  const auto call = std::make_shared<Call>();
  call->context.set_deadline(std::chrono::system_clock::now() + deadline_);
  call->request = maker_.Make(number);
  stubs_[number % stubs_.size()]->UnaryCall(&call->context, maker_.method(), grpc::StubOptions(), &call->request,
                                            &call->response,
                                            [held = call, done = std::move(done)](const grpc::Status& status) mutable {
                                              // Before the call is said to be over: its context holds the channel, and
                                              // whoever lets go of the last channel on one of gRPC's threads ends that
                                              // very thread.
                                              held.reset();
                                              done(status);
                                            });
}

}  // namespace modelpatch::client
