// Server: the composition root. Makes everything, wires it, serves, and takes it down in order.
//
// Belongs to one thread. What it owns and which thread does what: ARCHITECTURE.md.
#pragma once

#include <memory>
#include <string>

#include "core/base/log.h"
#include "core/base/status.h"
#include "server/options.h"

namespace modelpatch::server {

class Server {
 public:
  // Serves when it returns. FAILED_PRECONDITION (DATA_DIRECTORY_IN_USE), UNAVAILABLE (ADDRESS_IN_USE), INVALID_ARGUMENT
  // (BAD_DEVICE, NOT_A_DIRECTORY), NOT_FOUND (a root or the worker binary). `log` outlives the server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, base::Logger& log);
  // Drains, if that was not done.
  ~Server();

  // HOST:PORT, with the ports that were taken.
  const std::string& grpc_address() const;
  const std::string& http_address() const;

  // Says NOT_SERVING, ends watches, accepts nothing new, waits for the requests in flight (at most as long as the
  // options say), and leaves workers running. Idempotent.
  void Drain();

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace modelpatch::server
