// CheckpointService: reads, merges, compares and forgets checkpoints. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "core/base/mutex.h"
#include "modelpatch/v1/checkpoint_service.grpc.pb.h"
#include "server/services/service_context.h"
#include "server/services/unary_call.h"

namespace modelpatch::server {

class CheckpointService final : public v1::CheckpointService::CallbackService {
 public:
  explicit CheckpointService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* GetCheckpoint(grpc::CallbackServerContext* context, const v1::GetCheckpointRequest* request,
                                          v1::Checkpoint* response) override;
  grpc::ServerUnaryReactor* ListCheckpoints(grpc::CallbackServerContext* context,
                                            const v1::ListCheckpointsRequest* request,
                                            v1::ListCheckpointsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteCheckpoint(grpc::CallbackServerContext* context,
                                             const v1::DeleteCheckpointRequest* request,
                                             google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* Interpolate(grpc::CallbackServerContext* context, const v1::InterpolateRequest* request,
                                        v1::Checkpoint* response) override;
  grpc::ServerUnaryReactor* CompareCheckpoints(grpc::CallbackServerContext* context,
                                               const v1::CompareCheckpointsRequest* request,
                                               v1::CompareCheckpointsResponse* response) override;

 private:
  absl::Status Delete(const std::string& name);
  absl::Status Merge(const v1::InterpolateRequest& request, v1::Checkpoint* response);
  absl::Status Compare(const v1::CompareCheckpointsRequest& request, const base::CancellationToken& cancellation,
                       v1::CompareCheckpointsResponse* response);
  // `models/…` is the mixture without a term, `checkpoints/…` the one at 1.
  absl::StatusOr<v1::Mixture> MixtureOf(const std::string& name) const;

  const ServiceContext context_;
  // Held from the moment a blob is stored until a record names it, and while an unused blob is looked for and removed.
  base::Mutex blob_mutex_;
};

}  // namespace modelpatch::server
