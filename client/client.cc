#include "client/client.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "client/client_stubs.h"
#include "client/request_ids.h"
#include "client/unary_call.h"

namespace modelpatch::client {
namespace {

template <typename Request>
Request Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request;
}

}  // namespace

Client::Client(const std::string& address, ClientOptions options) : Client(MakeChannel(address), std::move(options)) {}

Client::Client(std::shared_ptr<grpc::ChannelInterface> channel, ClientOptions options)
    : options_(std::move(options)), stubs_(std::make_unique<Stubs>(channel)) {}

Client::~Client() = default;

absl::StatusOr<v1::Model> Client::ImportModel(v1::ImportModelRequest request) {
  EnsureRequestId(request);
  return CallWithRetry(*stubs_->models, &v1::ModelService::Stub::ImportModel, request, options_.long_deadline,
                       options_.retry);
}

absl::StatusOr<v1::Model> Client::InitializeModel(v1::InitializeModelRequest request) {
  EnsureRequestId(request);
  return CallWithRetry(*stubs_->models, &v1::ModelService::Stub::InitializeModel, request, options_.long_deadline,
                       options_.retry);
}

absl::StatusOr<v1::Model> Client::GetModel(const std::string& name) {
  return CallWithRetry(*stubs_->models, &v1::ModelService::Stub::GetModel, Named<v1::GetModelRequest>(name),
                       options_.deadline, options_.retry);
}

absl::StatusOr<v1::ListModelsResponse> Client::ListModels(const v1::ListModelsRequest& request) {
  return CallWithRetry(*stubs_->models, &v1::ModelService::Stub::ListModels, request, options_.deadline,
                       options_.retry);
}

// A deletion is not repeated: the second try would answer NOT_FOUND for what the first one did.
absl::Status Client::DeleteModel(const std::string& name) {
  return CallOnce(*stubs_->models, &v1::ModelService::Stub::DeleteModel, Named<v1::DeleteModelRequest>(name),
                  options_.deadline)
      .status();
}

// Not repeated either: the second try would find what the first one wrote.
absl::StatusOr<v1::ExportModelResponse> Client::ExportModel(const v1::ExportModelRequest& request) {
  return CallOnce(*stubs_->models, &v1::ModelService::Stub::ExportModel, request, options_.long_deadline);
}

absl::StatusOr<v1::Task> Client::CreateTask(v1::CreateTaskRequest request) {
  EnsureRequestId(request);
  return CallWithRetry(*stubs_->tasks, &v1::TaskService::Stub::CreateTask, request, options_.long_deadline,
                       options_.retry);
}

absl::StatusOr<v1::Task> Client::GetTask(const std::string& name) {
  return CallWithRetry(*stubs_->tasks, &v1::TaskService::Stub::GetTask, Named<v1::GetTaskRequest>(name),
                       options_.deadline, options_.retry);
}

absl::StatusOr<v1::ListTasksResponse> Client::ListTasks(const v1::ListTasksRequest& request) {
  return CallWithRetry(*stubs_->tasks, &v1::TaskService::Stub::ListTasks, request, options_.deadline, options_.retry);
}

absl::Status Client::DeleteTask(const std::string& name) {
  return CallOnce(*stubs_->tasks, &v1::TaskService::Stub::DeleteTask, Named<v1::DeleteTaskRequest>(name),
                  options_.deadline)
      .status();
}

absl::StatusOr<v1::PatchJob> Client::CreatePatchJob(v1::CreatePatchJobRequest request) {
  EnsureRequestId(request);
  return CallWithRetry(*stubs_->jobs, &v1::PatchJobService::Stub::CreatePatchJob, request, options_.long_deadline,
                       options_.retry);
}

absl::StatusOr<v1::PatchJob> Client::GetPatchJob(const std::string& name) {
  return CallWithRetry(*stubs_->jobs, &v1::PatchJobService::Stub::GetPatchJob, Named<v1::GetPatchJobRequest>(name),
                       options_.deadline, options_.retry);
}

absl::StatusOr<v1::ListPatchJobsResponse> Client::ListPatchJobs(const v1::ListPatchJobsRequest& request) {
  return CallWithRetry(*stubs_->jobs, &v1::PatchJobService::Stub::ListPatchJobs, request, options_.deadline,
                       options_.retry);
}

absl::StatusOr<v1::PatchJob> Client::CancelPatchJob(const std::string& name) {
  return CallWithRetry(*stubs_->jobs, &v1::PatchJobService::Stub::CancelPatchJob,
                       Named<v1::CancelPatchJobRequest>(name), options_.deadline, options_.retry);
}

absl::Status Client::DeletePatchJob(const std::string& name) {
  return CallOnce(*stubs_->jobs, &v1::PatchJobService::Stub::DeletePatchJob, Named<v1::DeletePatchJobRequest>(name),
                  options_.deadline)
      .status();
}

absl::StatusOr<v1::Checkpoint> Client::GetCheckpoint(const std::string& name) {
  return CallWithRetry(*stubs_->checkpoints, &v1::CheckpointService::Stub::GetCheckpoint,
                       Named<v1::GetCheckpointRequest>(name), options_.deadline, options_.retry);
}

absl::StatusOr<v1::ListCheckpointsResponse> Client::ListCheckpoints(const v1::ListCheckpointsRequest& request) {
  return CallWithRetry(*stubs_->checkpoints, &v1::CheckpointService::Stub::ListCheckpoints, request, options_.deadline,
                       options_.retry);
}

absl::Status Client::DeleteCheckpoint(const std::string& name) {
  return CallOnce(*stubs_->checkpoints, &v1::CheckpointService::Stub::DeleteCheckpoint,
                  Named<v1::DeleteCheckpointRequest>(name), options_.deadline)
      .status();
}

absl::StatusOr<v1::Checkpoint> Client::ImportCheckpoint(v1::ImportCheckpointRequest request) {
  EnsureRequestId(request);
  return CallWithRetry(*stubs_->checkpoints, &v1::CheckpointService::Stub::ImportCheckpoint, request,
                       options_.long_deadline, options_.retry);
}

absl::StatusOr<v1::Checkpoint> Client::Interpolate(v1::InterpolateRequest request) {
  EnsureRequestId(request);
  return CallWithRetry(*stubs_->checkpoints, &v1::CheckpointService::Stub::Interpolate, request, options_.long_deadline,
                       options_.retry);
}

absl::StatusOr<v1::CompareCheckpointsResponse> Client::CompareCheckpoints(
    const v1::CompareCheckpointsRequest& request) {
  return CallWithRetry(*stubs_->checkpoints, &v1::CheckpointService::Stub::CompareCheckpoints, request,
                       options_.long_deadline, options_.retry);
}

absl::StatusOr<v1::Patch> Client::CreatePatch(v1::CreatePatchRequest request) {
  EnsureRequestId(request);
  return CallWithRetry(*stubs_->patches, &v1::PatchService::Stub::CreatePatch, request, options_.deadline,
                       options_.retry);
}

absl::StatusOr<v1::Patch> Client::GetPatch(const std::string& name) {
  return CallWithRetry(*stubs_->patches, &v1::PatchService::Stub::GetPatch, Named<v1::GetPatchRequest>(name),
                       options_.deadline, options_.retry);
}

absl::StatusOr<v1::ListPatchesResponse> Client::ListPatches(const v1::ListPatchesRequest& request) {
  return CallWithRetry(*stubs_->patches, &v1::PatchService::Stub::ListPatches, request, options_.deadline,
                       options_.retry);
}

absl::Status Client::DeletePatch(const v1::DeletePatchRequest& request) {
  return CallOnce(*stubs_->patches, &v1::PatchService::Stub::DeletePatch, request, options_.deadline).status();
}

// Neither of the two is repeated: a second try would be refused for its etag, or go back one version more.
absl::StatusOr<v1::Patch> Client::PromotePatch(const v1::PromotePatchRequest& request) {
  return CallOnce(*stubs_->patches, &v1::PatchService::Stub::PromotePatch, request, options_.deadline);
}

absl::StatusOr<v1::Patch> Client::RollbackPatch(const v1::RollbackPatchRequest& request) {
  return CallOnce(*stubs_->patches, &v1::PatchService::Stub::RollbackPatch, request, options_.deadline);
}

absl::StatusOr<v1::EvaluateResponse> Client::Evaluate(const v1::EvaluateRequest& request) {
  return CallWithRetry(*stubs_->evaluation, &v1::EvaluationService::Stub::Evaluate, request, options_.long_deadline,
                       options_.retry);
}

absl::StatusOr<v1::ClassifyResponse> Client::Classify(const v1::ClassifyRequest& request) {
  return CallWithRetry(*stubs_->inference, &v1::InferenceService::Stub::Classify, request, options_.deadline,
                       options_.retry);
}

absl::StatusOr<v1::EncodeImagesResponse> Client::EncodeImages(const v1::EncodeImagesRequest& request) {
  return CallWithRetry(*stubs_->inference, &v1::InferenceService::Stub::EncodeImages, request, options_.deadline,
                       options_.retry);
}

absl::StatusOr<v1::EncodeTextsResponse> Client::EncodeTexts(const v1::EncodeTextsRequest& request) {
  return CallWithRetry(*stubs_->inference, &v1::InferenceService::Stub::EncodeTexts, request, options_.deadline,
                       options_.retry);
}

absl::StatusOr<v1::TokenizeResponse> Client::Tokenize(const v1::TokenizeRequest& request) {
  return CallWithRetry(*stubs_->inference, &v1::InferenceService::Stub::Tokenize, request, options_.deadline,
                       options_.retry);
}

}  // namespace modelpatch::client
