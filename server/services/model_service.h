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
  grpc::ServerReadReactor<v1::UploadModelRequest>* UploadModel(grpc::CallbackServerContext* context,
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
  grpc::ServerWriteReactor<v1::DownloadModelResponse>* DownloadModel(grpc::CallbackServerContext* context,
                                                                     const v1::DownloadModelRequest* request) override;

 private:
  // Where the files of an import lie.
  struct Source {
    const RootPaths& roots;
    // Below the roots.
    std::string path;
    // What the model's record says of it; empty for an upload, which is gone afterwards.
    std::string recorded_path;
  };

  // INVALID_ARGUMENT for what is wrong whatever the files are.
  static absl::Status CheckImport(const v1::ImportModelRequest& request);
  absl::Status ImportFromPath(const v1::ImportModelRequest& request, const base::CancellationToken& cancellation,
                              v1::Model* response);
  absl::Status Import(const v1::ImportModelRequest& request, const RequestKey& key, const Source& source,
                      const base::CancellationToken& cancellation, v1::Model* response);
  absl::Status Initialize(const v1::InitializeModelRequest& request, const base::CancellationToken& cancellation,
                          v1::Model* response);
  // See AnswerRepeated.
  std::optional<absl::Status> AnswerRepeatedModel(const std::string& id, const RequestKey& key, v1::Model* response);
  // Loads what was staged, to check it, and keeps it as the model `id`. Messages name files below `shown_path`.
  absl::Status Add(const std::string& id, const RequestKey& key, const std::string& shown_path,
                   const std::string& recorded_path, StagedDirectory& staged,
                   const base::CancellationToken& cancellation, v1::Model* response);
  absl::Status Delete(const std::string& name);
  absl::Status Export(const v1::ExportModelRequest& request, v1::ExportModelResponse* response);
  // Writes a mixture to the new directory `path`.
  absl::Status Write(const Resolution& resolution, v1::ExportLayout layout, const std::string& path);
  absl::StatusOr<CardContent> DescribeForCard(const Resolution& resolution) const;
  // Whether a record still needs the directory of that digest.
  absl::StatusOr<bool> InUse(const std::string& digest);

  const ServiceContext context_;
  HealthService& health_;
};

}  // namespace modelpatch::server
