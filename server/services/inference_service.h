// InferenceService: classification and encoding at any mixture. Checks a request, resolves its names, and hands it to
// the engine. Thread-safe.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include "modelpatch/v1/inference_service.grpc.pb.h"
#include "server/services/service_context.h"
#include "server/services/unary_call.h"

namespace modelpatch::server {

// Every method by callbacks; the messages of a stream (see raw_message.h) and of Classify (see classify_message.h) as
// bytes.
using InferenceServiceBase =
    v1::InferenceService::WithRawCallbackMethod_StreamClassify<v1::InferenceService::WithRawCallbackMethod_Classify<
        v1::InferenceService::WithCallbackMethod_EncodeImages<v1::InferenceService::WithCallbackMethod_EncodeTexts<
            v1::InferenceService::WithCallbackMethod_Tokenize<v1::InferenceService::Service>>>>>;

class InferenceService final : public InferenceServiceBase {
 public:
  explicit InferenceService(const ServiceContext& context);

  grpc::ServerUnaryReactor* Classify(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamClassify(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* EncodeImages(grpc::CallbackServerContext* context, const v1::EncodeImagesRequest* request,
                                         v1::EncodeImagesResponse* response) override;
  grpc::ServerUnaryReactor* EncodeTexts(grpc::CallbackServerContext* context, const v1::EncodeTextsRequest* request,
                                        v1::EncodeTextsResponse* response) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context, const v1::TokenizeRequest* request,
                                     v1::TokenizeResponse* response) override;

 private:
  absl::Status StartClassify(UnaryCall* call, const grpc::ByteBuffer& bytes, grpc::ByteBuffer* response);
  absl::Status StartEncodeImages(UnaryCall* call, const v1::EncodeImagesRequest& request,
                                 v1::EncodeImagesResponse* response);
  absl::Status StartEncodeTexts(UnaryCall* call, const v1::EncodeTextsRequest& request,
                                v1::EncodeTextsResponse* response);
  absl::Status RunTokenize(const v1::TokenizeRequest& request, v1::TokenizeResponse* response);

  const ServiceContext context_;
  const model::PromptLimits limits_;
};

}  // namespace modelpatch::server
