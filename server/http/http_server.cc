#include "server/http/http_server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "core/base/mutex.h"

namespace modelpatch::server {
namespace {

// A connection holds a thread while it is open, so connections are closed after each answer.
constexpr int kThreads = 8;
constexpr int kTimeoutSeconds = 5;
constexpr size_t kMaximumBodyBytes = 64 << 10;

}  // namespace

struct HttpServer::State {
  httplib::Server server;
  Handlers handlers;
  std::string address;
  std::thread thread;

  base::Mutex mutex;
  base::CondVar changed;
  bool stopped MP_GUARDED_BY(mutex) = false;
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Address& address, Handlers handlers) {
  auto owned = std::make_unique<State>();
  State* state = owned.get();
  state->handlers = std::move(handlers);
  httplib::Server& server = state->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server.set_keep_alive_max_count(1);
  server.set_read_timeout(kTimeoutSeconds, 0);
  server.set_write_timeout(kTimeoutSeconds, 0);
  server.set_payload_max_length(kMaximumBodyBytes);
  // The library's default is SO_REUSEPORT, with which a second server would silently share the port.
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server.Get("/metrics", [state](const httplib::Request&, httplib::Response& response) {
    response.set_content(state->handlers.metrics(), "text/plain; version=0.0.4; charset=utf-8");
  });
  server.Get("/healthz",
             [](const httplib::Request&, httplib::Response& response) { response.set_content("ok\n", "text/plain"); });
  server.Get("/readyz", [state](const httplib::Request&, httplib::Response& response) {
    const bool ready = state->handlers.ready();
    response.status = ready ? 200 : 503;
    response.set_content(ready ? "ready\n" : "not ready\n", "text/plain");
  });

  int port = address.port;
  const bool bound =
      port == 0 ? (port = server.bind_to_any_port(address.host)) > 0 : server.bind_to_port(address.host, port);
  if (!bound) {
    return base::Unavailable("ADDRESS_IN_USE", fmt::format("cannot listen for HTTP on {}; is another server using it? "
                                                           "--http-address 127.0.0.1:0 takes a free port",
                                                           address.ToString()));
  }
  state->address = Address{address.host, port}.ToString();
  state->thread = std::thread([state] {
    state->server.listen_after_bind();
    base::MutexLock lock(state->mutex);
    state->stopped = true;
    state->changed.NotifyAll();
  });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(owned)));
}

HttpServer::~HttpServer() {
  {
    // Asked again until it has stopped: some versions forget a stop that comes before the thread listens.
    base::MutexLock lock(state_->mutex);
    while (!state_->stopped) {
      state_->server.stop();
      state_->changed.WaitFor(state_->mutex, std::chrono::milliseconds(20));
    }
  }
  state_->thread.join();
}

const std::string& HttpServer::address() const { return state_->address; }

}  // namespace modelpatch::server
