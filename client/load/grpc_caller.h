// GrpcCaller: sends the requests of a RequestMaker over a few connections, on gRPC's own threads. Thread-safe.
#pragma once

#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/load/load_run.h"
#include "client/load/request_maker.h"

namespace modelpatch::client {

class GrpcCaller final : public Caller {
 public:
  // Requests take the connections in turn. `maker` outlives this.
  GrpcCaller(const std::string& address, int connections, std::chrono::milliseconds deadline,
             const RequestMaker& maker);

  void Start(uint64_t number, std::function<void(std::string)> done) override;

  // Sends request 0 and waits for its answer: the error, with the server's details.
  absl::Status TryOnce();

 private:
  void Send(uint64_t number, std::function<void(const grpc::Status&)> done);

  const std::chrono::milliseconds deadline_;
  const RequestMaker& maker_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
};

}  // namespace modelpatch::client
