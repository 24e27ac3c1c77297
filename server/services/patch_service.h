// PatchService: keeps named mixtures, and decides which version of one is in force. Thread-safe.
#pragma once

#include <string>

#include "modelpatch/v1/patch_service.grpc.pb.h"
#include "server/patch_planner.h"
#include "server/services/service_context.h"
#include "server/services/unary_call.h"

namespace modelpatch::server {

class PatchService final : public v1::PatchService::CallbackService {
 public:
  explicit PatchService(const ServiceContext& context)
      : context_(context), planner_(context.metadata, context.resolver) {}

  grpc::ServerUnaryReactor* CreatePatch(grpc::CallbackServerContext* context, const v1::CreatePatchRequest* request,
                                        v1::Patch* response) override;
  grpc::ServerUnaryReactor* GetPatch(grpc::CallbackServerContext* context, const v1::GetPatchRequest* request,
                                     v1::Patch* response) override;
  grpc::ServerUnaryReactor* ListPatches(grpc::CallbackServerContext* context, const v1::ListPatchesRequest* request,
                                        v1::ListPatchesResponse* response) override;
  grpc::ServerUnaryReactor* DeletePatch(grpc::CallbackServerContext* context, const v1::DeletePatchRequest* request,
                                        google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* PromotePatch(grpc::CallbackServerContext* context, const v1::PromotePatchRequest* request,
                                         v1::Patch* response) override;
  grpc::ServerUnaryReactor* RollbackPatch(grpc::CallbackServerContext* context, const v1::RollbackPatchRequest* request,
                                          v1::Patch* response) override;

 private:
  absl::Status Create(const v1::CreatePatchRequest& request, v1::Patch* response);
  absl::Status Get(const std::string& name, v1::Patch* response);
  absl::Status Delete(const v1::DeletePatchRequest& request);
  absl::Status Promote(const v1::PromotePatchRequest& request, v1::Patch* response);
  absl::Status RollBack(const v1::RollbackPatchRequest& request, v1::Patch* response);

  // The patch `name`, which names no version, if its etag is `etag` or that is empty.
  absl::StatusOr<store::PatchRecord> FindPatch(const std::string& name, const std::string& etag);
  // Has what is promoted now kept materialised.
  void PinPromoted();
  // With its newest versions and promotions.
  absl::StatusOr<v1::Patch> Describe(const store::PatchRecord& record);
  // With this version alone.
  absl::StatusOr<v1::Patch> Describe(const store::PatchVersionRecord& version);

  const ServiceContext context_;
  const PatchPlanner planner_;
};

}  // namespace modelpatch::server
