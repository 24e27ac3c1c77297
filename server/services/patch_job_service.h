// PatchJobService: submits patch jobs, follows and ends them. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "modelpatch/v1/patch_job_service.grpc.pb.h"
#include "server/job_planner.h"
#include "server/services/service_context.h"
#include "server/services/stream_call.h"
#include "server/services/unary_call.h"

namespace modelpatch::server {

class PatchJobService final : public v1::PatchJobService::CallbackService {
 public:
  PatchJobService(const ServiceContext& context, JobPlanner planner);

  grpc::ServerUnaryReactor* CreatePatchJob(grpc::CallbackServerContext* context,
                                           const v1::CreatePatchJobRequest* request, v1::PatchJob* response) override;
  grpc::ServerUnaryReactor* GetPatchJob(grpc::CallbackServerContext* context, const v1::GetPatchJobRequest* request,
                                        v1::PatchJob* response) override;
  grpc::ServerUnaryReactor* ListPatchJobs(grpc::CallbackServerContext* context, const v1::ListPatchJobsRequest* request,
                                          v1::ListPatchJobsResponse* response) override;
  grpc::ServerUnaryReactor* CancelPatchJob(grpc::CallbackServerContext* context,
                                           const v1::CancelPatchJobRequest* request, v1::PatchJob* response) override;
  grpc::ServerUnaryReactor* DeletePatchJob(grpc::CallbackServerContext* context,
                                           const v1::DeletePatchJobRequest* request,
                                           google::protobuf::Empty* response) override;
  grpc::ServerWriteReactor<v1::PatchJobEvent>* WatchPatchJob(grpc::CallbackServerContext* context,
                                                             const v1::WatchPatchJobRequest* request) override;

 private:
  using EventStream = StreamCall<v1::PatchJobEvent>;

  absl::Status Create(const v1::CreatePatchJobRequest& request, v1::PatchJob* response);
  absl::Status StartWatch(const v1::WatchPatchJobRequest& request, const std::shared_ptr<EventStream>& stream);
  absl::StatusOr<v1::PatchJob> Describe(const store::JobRecord& record);

  const ServiceContext context_;
  const JobPlanner planner_;
  std::atomic<int64_t> watches_ = 0;
};

}  // namespace modelpatch::server
