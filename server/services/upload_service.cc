#include "server/services/upload_service.h"

#include <numeric>
#include <string>

#include "server/record_messages.h"
#include "server/resource_names.h"

namespace modelpatch::server {

grpc::ServerUnaryReactor* UploadService::GetUpload(grpc::CallbackServerContext* context,
                                                   const v1::GetUploadRequest* request, v1::Upload* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    const auto id = ParseResourceName(kUploads, request->name());
    if (!id.ok()) return base::WithField(id.status(), "name");
    MP_ASSIGN_OR_RETURN(const UploadStore::Status status, context_.uploads.Get(*id));
    response->set_name(request->name());
    response->set_size_bytes(status.bytes);
    response->set_received_bytes(std::accumulate(status.received.begin(), status.received.end(), int64_t{0}));
    response->mutable_file_received_bytes()->Assign(status.received.begin(), status.received.end());
    if (status.expires.has_value()) *response->mutable_expire_time() = ToTimestamp(*status.expires);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* UploadService::DeleteUpload(grpc::CallbackServerContext* context,
                                                      const v1::DeleteUploadRequest* request,
                                                      google::protobuf::Empty*) {
  return RunOn(context_.transfers, *context, [=, this](const UnaryCall&) -> absl::Status {
    const auto id = ParseResourceName(kUploads, request->name());
    if (!id.ok()) return base::WithField(id.status(), "name");
    return context_.uploads.Delete(*id);
  });
}

}  // namespace modelpatch::server
