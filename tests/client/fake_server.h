// A gRPC server in this process with answers that a test sets: what the client does is seen without a real server.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "modelpatch/v1/evaluation_service.grpc.pb.h"
#include "modelpatch/v1/inference_service.grpc.pb.h"
#include "modelpatch/v1/model_service.grpc.pb.h"
#include "modelpatch/v1/patch_job_service.grpc.pb.h"
#include "modelpatch/v1/patch_service.grpc.pb.h"
#include "modelpatch/v1/task_service.grpc.pb.h"
#include "modelpatch/v1/upload_service.grpc.pb.h"

namespace modelpatch::testing {

// A gRPC error with google.rpc details, as the server sends it.
grpc::Status DetailedError(grpc::StatusCode code, const std::string& message, const std::string& reason,
                           const std::string& field);

// Calls that nobody has set answer UNIMPLEMENTED. Set the functions before the first call; they run on gRPC's threads.
class FakeServer {
 public:
  FakeServer();
  ~FakeServer();

  const std::string& address() const { return address_; }

  std::function<grpc::Status(const v1::GetModelRequest&, v1::Model&)> get_model;
  std::function<grpc::Status(const v1::ImportModelRequest&, v1::Model&)> import_model;
  std::function<grpc::Status(const v1::ListModelsRequest&, v1::ListModelsResponse&)> list_models;
  std::function<grpc::Status(const v1::DeleteModelRequest&)> delete_model;
  std::function<grpc::Status(const v1::CreateTaskRequest&, v1::Task&)> create_task;
  std::function<grpc::Status(const v1::CreatePatchJobRequest&, v1::PatchJob&)> create_patch_job;
  std::function<grpc::Status(const v1::GetPatchJobRequest&, v1::PatchJob&)> get_patch_job;
  std::function<grpc::Status(const v1::WatchPatchJobRequest&, grpc::ServerWriter<v1::PatchJobEvent>&)> watch_patch_job;
  std::function<grpc::Status(const v1::CreatePatchRequest&, v1::Patch&)> create_patch;
  std::function<grpc::Status(const v1::GetPatchRequest&, v1::Patch&)> get_patch;
  std::function<grpc::Status(const v1::PromotePatchRequest&, v1::Patch&)> promote_patch;
  std::function<grpc::Status(const v1::RollbackPatchRequest&, v1::Patch&)> rollback_patch;
  std::function<grpc::Status(const v1::DeletePatchRequest&)> delete_patch;
  std::function<grpc::Status(const v1::SweepRequest&, grpc::ServerWriter<v1::SweepResponse>&)> sweep;
  std::function<grpc::Status(const v1::ClassifyRequest&, v1::ClassifyResponse&)> classify;
  std::function<grpc::Status(grpc::ServerReaderWriter<v1::StreamClassifyResponse, v1::StreamClassifyRequest>&)>
      stream_classify;
  std::function<grpc::Status(grpc::ServerReader<v1::UploadModelRequest>&, v1::Model&)> upload_model;
  std::function<grpc::Status(const v1::DownloadModelRequest&, grpc::ServerWriter<v1::DownloadModelResponse>&)>
      download_model;
  std::function<grpc::Status(const v1::GetUploadRequest&, v1::Upload&)> get_upload;

 private:
  struct Services;
  std::unique_ptr<Services> services_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace modelpatch::testing
