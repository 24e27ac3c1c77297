// Counts, times and logs every gRPC call, and gives a request that is not a valid message its proper error.
//
// Metrics: modelpatch_grpc_calls_total {service, method, code} and modelpatch_grpc_call_seconds {service, method}.
// Calls are logged at debug, the server's own failures (UNKNOWN, INTERNAL, DATA_LOSS) as errors. Thread-safe.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/metrics.h"
#include "server/calls_in_flight.h"

namespace modelpatch::server {

// `calls` counts those of our own services, not health checks and reflection. All arguments outlive the gRPC server.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallInterceptorFactory(
    const base::Clock& clock, base::MetricRegistry& metrics, base::Logger& log, CallsInFlight& calls);

}  // namespace modelpatch::server
