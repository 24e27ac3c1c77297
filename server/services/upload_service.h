// UploadService: how far interrupted uploads are, and forgetting them. Thread-safe.
#pragma once

#include "modelpatch/v1/upload_service.grpc.pb.h"
#include "server/services/service_context.h"
#include "server/services/unary_call.h"

namespace modelpatch::server {

class UploadService final : public v1::UploadService::CallbackService {
 public:
  explicit UploadService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* GetUpload(grpc::CallbackServerContext* context, const v1::GetUploadRequest* request,
                                      v1::Upload* response) override;
  grpc::ServerUnaryReactor* DeleteUpload(grpc::CallbackServerContext* context, const v1::DeleteUploadRequest* request,
                                         google::protobuf::Empty* response) override;

 private:
  const ServiceContext context_;
};

}  // namespace modelpatch::server
