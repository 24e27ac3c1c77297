// OpenInferenceService: the Open Inference Protocol, for clients of other inference servers. Checks a request, resolves
// its names, and hands it to the engine, as InferenceService does. Thread-safe.
#pragma once

#include <functional>
#include <string>

#include "inference/grpc_predict_v2.grpc.pb.h"
#include "server/open_inference/infer_request.h"
#include "server/services/service_context.h"
#include "server/services/unary_call.h"

namespace modelpatch::server {

class OpenInferenceService final : public ::inference::GRPCInferenceService::CallbackService {
 public:
  // `is_ready` says whether the server takes requests for inference; it must not block.
  OpenInferenceService(const ServiceContext& context, std::function<bool()> is_ready);

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const ::inference::ServerLiveRequest* request,
                                       ::inference::ServerLiveResponse* response) override;
  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const ::inference::ServerReadyRequest* request,
                                        ::inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context,
                                           const ::inference::ServerMetadataRequest* request,
                                           ::inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* context,
                                       const ::inference::ModelReadyRequest* request,
                                       ::inference::ModelReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                          const ::inference::ModelMetadataRequest* request,
                                          ::inference::ModelMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const ::inference::ModelInferRequest* request,
                                       ::inference::ModelInferResponse* response) override;

 private:
  // The model of that name. NOT_FOUND (MODEL_NOT_FOUND, MODEL_VERSION_NOT_FOUND).
  absl::StatusOr<v1::Model> FindModel(const std::string& name, const std::string& version) const;
  // The weights that a request asks for. FAILED_PRECONDITION (PATCH_OF_ANOTHER_MODEL).
  absl::StatusOr<Resolution> Resolve(const InferRequest& request, const std::string& version) const;
  absl::Status StartInfer(UnaryCall* call, const ::inference::ModelInferRequest& request,
                          ::inference::ModelInferResponse* response);
  void StartClassify(UnaryCall* call, InferRequest request, serve::ClassifyRequest engine_request,
                     ::inference::ModelInferResponse* response);
  void StartEncode(UnaryCall* call, InferRequest request, serve::EncodeImagesRequest engine_request,
                   ::inference::ModelInferResponse* response);

  const ServiceContext context_;
  const std::function<bool()> is_ready_;
  const InferLimits infer_limits_;
};

}  // namespace modelpatch::server
