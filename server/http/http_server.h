// HttpServer: /metrics for Prometheus, /healthz (the process lives) and /readyz (it serves) for orchestrators.
//
// Thread safety: thread-safe. Owns its threads; the destructor stops and joins them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/base/status.h"
#include "server/options.h"

namespace modelpatch::server {

class HttpServer {
 public:
  struct Handlers {
    // The text of /metrics.
    std::function<std::string()> metrics;
    // Whether /readyz says so.
    std::function<bool()> ready;
  };

  // Listens at once. UNAVAILABLE (ADDRESS_IN_USE) if the address cannot be had.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const Address& address, Handlers handlers);
  ~HttpServer();

  // HOST:PORT, with the port that was taken.
  const std::string& address() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace modelpatch::server
