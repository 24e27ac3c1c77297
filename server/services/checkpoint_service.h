// CheckpointService: imports, reads, merges, compares and forgets checkpoints. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "modelpatch/v1/checkpoint_service.grpc.pb.h"
#include "server/record_messages.h"
#include "server/services/service_context.h"
#include "server/services/unary_call.h"

namespace modelpatch::server {

class CheckpointService final : public v1::CheckpointService::CallbackService {
 public:
  explicit CheckpointService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* ImportCheckpoint(grpc::CallbackServerContext* context,
                                             const v1::ImportCheckpointRequest* request,
                                             v1::Checkpoint* response) override;
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
  absl::Status Import(const v1::ImportCheckpointRequest& request, const base::CancellationToken& cancellation,
                      v1::Checkpoint* response);
  absl::Status Merge(const v1::InterpolateRequest& request, const base::CancellationToken& cancellation,
                     v1::Checkpoint* response);
  // What `request.merge` makes of the mixture's terms, and the lineage of it.
  absl::Status MergeByMethod(const v1::InterpolateRequest& request, const RequestKey& key,
                             const base::CancellationToken& cancellation, v1::Checkpoint* response);
  // See AnswerRepeated.
  std::optional<absl::Status> AnswerRepeatedCheckpoint(const std::string& id, const RequestKey& key,
                                                       v1::Checkpoint* response);
  // Keeps `weights` as the checkpoint `id`. `message` says where they come from: the kind, and of the lineage the model
  // and what is particular to the kind.
  absl::Status Add(const std::string& id, const RequestKey& key, const std::string& model_id,
                   const tensor::WeightSet& weights, v1::Checkpoint message, v1::Checkpoint* response);
  // Stores the blob and the record that names it.
  absl::StatusOr<store::CheckpointRecord> Record(const std::string& id, const RequestKey& key,
                                                 const std::string& model_id, const tensor::WeightSet& weights,
                                                 v1::Checkpoint message);
  absl::Status Compare(const v1::CompareCheckpointsRequest& request, const base::CancellationToken& cancellation,
                       v1::CompareCheckpointsResponse* response);
  // `models/…` is the mixture without a term, `checkpoints/…` the one at 1.
  absl::StatusOr<v1::Mixture> MixtureOf(const std::string& name) const;

  const ServiceContext context_;
};

}  // namespace modelpatch::server
