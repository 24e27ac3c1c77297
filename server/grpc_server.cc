#include "server/grpc_server.h"

#include <fmt/format.h>
#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "server/call_interceptor.h"
#include "server/calls_in_flight.h"

namespace modelpatch::server {
namespace {

// How often a shutdown looks whether the calls have been answered.
constexpr std::chrono::milliseconds kDrainLookInterval{20};
// gRPC drops clients that ping more often than this; long quiet watches live on such pings.
constexpr int kShortestPingIntervalMilliseconds = 10'000;
// How often the server looks whether a quiet client is still there.
constexpr int kKeepAliveMilliseconds = 60'000;

}  // namespace

struct GrpcServer::State {
  std::chrono::seconds drain_time;
  std::string address;
  CallsInFlight calls;
  std::unique_ptr<grpc::Server> server;
};

GrpcServer::GrpcServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
GrpcServer::~GrpcServer() { Stop(); }

const std::string& GrpcServer::address() const { return state_->address; }

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const ServerOptions& options,
                                                              const std::vector<grpc::Service*>& services,
                                                              const base::Clock& clock, base::MetricRegistry& metrics,
                                                              base::Logger& log) {
  MP_ASSIGN_OR_RETURN(const Address address, ParseAddress(options.grpc_address));
  std::unique_ptr<GrpcServer> result(new GrpcServer(std::make_unique<State>()));
  State& state = *result->state_;
  state.drain_time = std::chrono::seconds(options.drain_seconds);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address.ToString(), grpc::InsecureServerCredentials(), &port);
  // Without this a second server would silently share the port.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kShortestPingIntervalMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // A client that vanished without a word must not hold its upload or stream for hours.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepAliveMilliseconds);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.maximum_message_bytes));
  builder.SetMaxSendMessageSize(static_cast<int>(options.maximum_message_bytes));
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(MakeCallInterceptorFactory(clock, metrics, log, state.calls));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  for (grpc::Service* service : services) builder.RegisterService(service);
  state.server = builder.BuildAndStart();
  if (state.server == nullptr || port == 0) {
    return base::Unavailable("ADDRESS_IN_USE", fmt::format("cannot listen for gRPC on {}; is another server using it? "
                                                           "--grpc-address 127.0.0.1:0 takes a free port",
                                                           address.ToString()));
  }
  state.address = Address{address.host, port}.ToString();
  return result;
}

void GrpcServer::Stop() {
  if (state_->server == nullptr) return;
  grpc::Server& server = *state_->server;
  const auto deadline = std::chrono::system_clock::now() + state_->drain_time;
  std::atomic<bool> stopped = false;
  std::thread shutdown([&] {
    server.Shutdown(deadline);
    stopped = true;
  });
  // Shutdown waits for all calls, also for health watches, which have no end of their own.
  while (!stopped) {
    if (state_->calls.WaitUntilNone(kDrainLookInterval) && !stopped) {
      grpc_server_cancel_all_calls(server.c_server());
      std::this_thread::sleep_for(kDrainLookInterval);
    }
  }
  shutdown.join();
  server.Wait();
  state_->server.reset();
}

}  // namespace modelpatch::server
