// GrpcServer: the services on an address, every call counted, timed and logged, and an end that waits for calls.
//
// Thread safety: belongs to one thread. Services, and what observes the calls, outlive it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/base/status.h"
#include "server/options.h"

namespace grpc {
class Service;
}

namespace modelpatch::server {

class GrpcServer {
 public:
  // Listens at once. UNAVAILABLE (ADDRESS_IN_USE) if the address cannot be had.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const ServerOptions& options,
                                                           const std::vector<grpc::Service*>& services,
                                                           const base::Clock& clock, base::MetricRegistry& metrics,
                                                           base::Logger& log);
  // Stops, if that was not done.
  ~GrpcServer();

  // HOST:PORT, with the port that was taken.
  const std::string& address() const;

  // Accepts nothing new and waits for the calls in flight, at most as long as the options say. Idempotent.
  void Stop();

 private:
  struct State;
  explicit GrpcServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace modelpatch::server
