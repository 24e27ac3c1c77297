// EvaluationService: accuracies of mixtures, and sweeps between two of them, on a thread of low priority. Thread-safe.
#pragma once

#include <atomic>
#include <memory>

#include "modelpatch/v1/evaluation_service.grpc.pb.h"
#include "server/services/service_context.h"
#include "server/services/stream_call.h"
#include "server/services/unary_call.h"

namespace modelpatch::server {

class EvaluationService final : public v1::EvaluationService::CallbackService {
 public:
  explicit EvaluationService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* Evaluate(grpc::CallbackServerContext* context, const v1::EvaluateRequest* request,
                                     v1::EvaluateResponse* response) override;
  grpc::ServerWriteReactor<v1::SweepResponse>* Sweep(grpc::CallbackServerContext* context,
                                                     const v1::SweepRequest* request) override;

 private:
  using SweepStream = StreamCall<v1::SweepResponse>;

  absl::Status RunEvaluate(const v1::EvaluateRequest& request, const base::CancellationToken& cancellation,
                           v1::EvaluateResponse* response);
  absl::Status RunSweep(const v1::SweepRequest& request, SweepStream& stream);
  // Takes one of the places for evaluations; the returned object gives it back. RESOURCE_EXHAUSTED (QUEUE_FULL).
  absl::StatusOr<std::shared_ptr<void>> TakePlace();

  const ServiceContext context_;
  std::atomic<int64_t> places_taken_ = 0;
};

}  // namespace modelpatch::server
