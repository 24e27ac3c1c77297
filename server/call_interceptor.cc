#include "server/call_interceptor.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/server_context.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/status_conversion.h"

namespace modelpatch::server {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

constexpr std::string_view kOurPackages[] = {"modelpatch.", "inference."};

const std::vector<double>& LatencyBounds() {
  static const std::vector<double> bounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                             0.25,   0.5,   1,      2.5,   5,    10,    30,   60};
  return bounds;
}

std::string CodeName(grpc::StatusCode code) {
  return code == grpc::StatusCode::OK ? "OK" : absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

// Whether a program that links this API's messages knows the method; of an unknown one gRPC says UNIMPLEMENTED.
bool IsKnownMethod(const std::string& service, const std::string& method) {
  const auto* found = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(service);
  return found != nullptr && found->FindMethodByName(method) != nullptr;
}

class CallInterceptor final : public Interceptor {
 public:
  CallInterceptor(ServerRpcInfo& info, const base::Clock& clock, base::MetricRegistry& metrics, base::Logger& log,
                  CallsInFlight& calls)
      : clock_(clock), metrics_(metrics), log_(log), calls_(calls), start_(clock.SteadyNow()) {
    // "/package.Service/Method"
    const std::string path = info.method();
    const size_t slash = path.rfind('/');
    service_ = path.substr(1, slash == std::string::npos || slash == 0 ? 0 : slash - 1);
    method_ = slash == std::string::npos ? path : path.substr(slash + 1);
    if (info.server_context() != nullptr) peer_ = info.server_context()->peer();
    is_ours_ = std::any_of(std::begin(kOurPackages), std::end(kOurPackages),
                           [this](std::string_view package) { return service_.starts_with(package); });
    if (is_ours_) calls_.Enter();
  }

  ~CallInterceptor() override {
    Record();
    if (is_ours_) calls_.Leave();
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      grpc::Status status = methods->GetSendStatus();
      // gRPC's own answer where the request could not be parsed; no handler of ours gives an UNIMPLEMENTED without a
      // word.
      if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && status.error_message().empty() &&
          IsKnownMethod(service_, method_)) {
        status = ToGrpcStatus(MalformedRequest());
        methods->ModifySendStatus(status);
      }
      code_ = status.error_code();
      message_ = status.error_message();
    }
    methods->Proceed();
  }

 private:
  void Record() {
    const double seconds = std::chrono::duration<double>(clock_.SteadyNow() - start_).count();
    const std::string code = CodeName(code_);
    metrics_
        .GetCounter("modelpatch_grpc_calls_total", "Finished gRPC calls.",
                    {{"service", service_}, {"method", method_}, {"code", code}})
        .Increment();
    metrics_
        .GetHistogram("modelpatch_grpc_call_seconds", "Time from a call's arrival to its end.", LatencyBounds(),
                      {{"service", service_}, {"method", method_}})
        .Observe(seconds);
    const bool our_fault = code_ == grpc::StatusCode::UNKNOWN || code_ == grpc::StatusCode::INTERNAL ||
                           code_ == grpc::StatusCode::DATA_LOSS;
    log_.Write(our_fault ? base::Severity::kError : base::Severity::kDebug, "call",
               {{"method", service_ + "/" + method_},
                {"code", code},
                {"seconds", fmt::format("{:.6f}", seconds)},
                {"peer", peer_},
                {"message", message_}});
  }

  const base::Clock& clock_;
  base::MetricRegistry& metrics_;
  base::Logger& log_;
  CallsInFlight& calls_;
  const base::SteadyTime start_;
  std::string service_;
  std::string method_;
  std::string peer_;
  bool is_ours_ = false;
  // A call that ends without a status was given up by the client.
  grpc::StatusCode code_ = grpc::StatusCode::CANCELLED;
  std::string message_;
};

class CallInterceptorFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  CallInterceptorFactory(const base::Clock& clock, base::MetricRegistry& metrics, base::Logger& log,
                         CallsInFlight& calls)
      : clock_(clock), metrics_(metrics), log_(log), calls_(calls) {}

  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new CallInterceptor(*info, clock_, metrics_, log_, calls_);
  }

 private:
  const base::Clock& clock_;
  base::MetricRegistry& metrics_;
  base::Logger& log_;
  CallsInFlight& calls_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallInterceptorFactory(
    const base::Clock& clock, base::MetricRegistry& metrics, base::Logger& log, CallsInFlight& calls) {
  return std::make_unique<CallInterceptorFactory>(clock, metrics, log, calls);
}

}  // namespace modelpatch::server
