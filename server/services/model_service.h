// ModelService: imports models into the server's own directory, makes random ones, exports and forgets them.
// Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "modelpatch/v1/model_service.grpc.pb.h"
#include "server/mixture_resolver.h"
#include "server/model_card.h"
#include "server/record_messages.h"
#include "server/services/health_service.h"
#include "server/services/service_context.h"
#include "server/services/unary_call.h"

namespace modelpatch::server {

class ModelService final : public v1::ModelService::CallbackService {
 public:
  // `health` is told which models are served, and outlives this.
  ModelService(const ServiceContext& context, HealthService& health) : context_(context), health_(health) {}

  // Tells `health` of the models that an earlier server left. Blocks; before the first call.
  absl::Status AnnounceModels();

  grpc::ServerUnaryReactor* ImportModel(grpc::CallbackServerContext* context, const v1::ImportModelRequest* request,
                                        v1::Model* response) override;
  grpc::ServerUnaryReactor* InitializeModel(grpc::CallbackServerContext* context,
                                            const v1::InitializeModelRequest* request, v1::Model* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
                                     v1::Model* response) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteModel(grpc::CallbackServerContext* context, const v1::DeleteModelRequest* request,
                                        google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* ExportModel(grpc::CallbackServerContext* context, const v1::ExportModelRequest* request,
                                        v1::ExportModelResponse* response) override;

 private:
  absl::Status Import(const v1::ImportModelRequest& request, const base::CancellationToken& cancellation,
                      v1::Model* response);
  absl::Status Initialize(const v1::InitializeModelRequest& request, const base::CancellationToken& cancellation,
                          v1::Model* response);
  // See AnswerRepeated.
  std::optional<absl::Status> AnswerRepeatedModel(const std::string& id, const RequestKey& key, v1::Model* response);
  // Loads what was staged, to check it, and keeps it as the model `id`.
  absl::Status Add(const std::string& id, const RequestKey& key, const std::string& source_path,
                   StagedDirectory& staged, const base::CancellationToken& cancellation, v1::Model* response);
  absl::Status Delete(const std::string& name);
  absl::Status Export(const v1::ExportModelRequest& request, v1::ExportModelResponse* response);
  absl::StatusOr<CardContent> DescribeForCard(const Resolution& resolution) const;
  // Whether a record still needs the directory of that digest.
  absl::StatusOr<bool> InUse(const std::string& digest);

  const ServiceContext context_;
  HealthService& health_;
};

}  // namespace modelpatch::server
