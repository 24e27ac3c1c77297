#include "client/client.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "client/channel.h"
#include "client/request_ids.h"
#include "client/status_details.h"
#include "modelpatch/v1/checkpoint_service.grpc.pb.h"
#include "modelpatch/v1/evaluation_service.grpc.pb.h"
#include "modelpatch/v1/inference_service.grpc.pb.h"
#include "modelpatch/v1/model_service.grpc.pb.h"
#include "modelpatch/v1/patch_job_service.grpc.pb.h"
#include "modelpatch/v1/patch_service.grpc.pb.h"
#include "modelpatch/v1/task_service.grpc.pb.h"

namespace modelpatch::client {

struct Client::Stubs {
  explicit Stubs(const std::shared_ptr<grpc::ChannelInterface>& channel)
      : models(v1::ModelService::NewStub(channel)),
        tasks(v1::TaskService::NewStub(channel)),
        jobs(v1::PatchJobService::NewStub(channel)),
        checkpoints(v1::CheckpointService::NewStub(channel)),
        patches(v1::PatchService::NewStub(channel)),
        evaluation(v1::EvaluationService::NewStub(channel)),
        inference(v1::InferenceService::NewStub(channel)) {}

  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::TaskService::Stub> tasks;
  std::unique_ptr<v1::PatchJobService::Stub> jobs;
  std::unique_ptr<v1::CheckpointService::Stub> checkpoints;
  std::unique_ptr<v1::PatchService::Stub> patches;
  std::unique_ptr<v1::EvaluationService::Stub> evaluation;
  std::unique_ptr<v1::InferenceService::Stub> inference;
};

namespace {

constexpr int kMaximumMessageBytes = 64 << 20;

template <typename Stub, typename Request, typename Response>
using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

void SetDeadline(grpc::ClientContext& context, std::chrono::milliseconds deadline) {
  context.set_deadline(std::chrono::system_clock::now() + deadline);
}

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> CallOnce(Stub& stub, Method<Stub, Request, Response> method, const Request& request,
                                  std::chrono::milliseconds deadline) {
  grpc::ClientContext context;
  SetDeadline(context, deadline);
  Response response;
  absl::Status status = FromGrpcStatus((stub.*method)(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

// For idempotent calls.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> CallWithRetry(Stub& stub, Method<Stub, Request, Response> method, const Request& request,
                                       std::chrono::milliseconds deadline, const RetryPolicy& policy) {
  absl::StatusOr<Response> result = absl::UnknownError("not called");
  const absl::Status status = Retry(policy, [&] {
    result = CallOnce(stub, method, request, deadline);
    return result.status();
  });
  if (!status.ok()) return status;
  return result;
}

template <typename Request>
Request Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request;
}

bool HasEnded(v1::PatchJobState state) {
  return state == v1::PATCH_JOB_STATE_SUCCEEDED || state == v1::PATCH_JOB_STATE_FAILED ||
         state == v1::PATCH_JOB_STATE_CANCELLED;
}

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaximumMessageBytes);
  arguments.SetMaxSendMessageSize(kMaximumMessageBytes);
  // The server's address is given, mostly a loopback one: a proxy of the environment must not come between.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return arguments;
}

}  // namespace

std::shared_ptr<grpc::ChannelInterface> MakeChannel(const std::string& address) {
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), Arguments());
}

std::shared_ptr<grpc::ChannelInterface> MakeUnsharedChannel(const std::string& address) {
  grpc::ChannelArguments arguments = Arguments();
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

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

absl::Status Client::WatchPatchJob(const std::string& name, int64_t after_event_number,
                                   const std::function<bool(const v1::PatchJobEvent&)>& on_event) {
  v1::WatchPatchJobRequest request;
  request.set_name(name);
  request.set_after_event_number(after_event_number);
  for (int failures = 0;;) {
    grpc::ClientContext context;
    const auto reader = stubs_->jobs->WatchPatchJob(&context, request);
    v1::PatchJobEvent event;
    bool ended = false;
    while (reader->Read(&event)) {
      if (event.number() <= request.after_event_number()) continue;
      request.set_after_event_number(event.number());
      failures = 0;
      ended = ended || (event.has_state_change() && HasEnded(event.state_change().state()));
      if (!on_event(event)) {
        context.TryCancel();
        while (reader->Read(&event)) {
        }
        static_cast<void>(reader->Finish());
        return absl::OkStatus();
      }
    }
    const absl::Status status = FromGrpcStatus(reader->Finish());
    // Whatever became of the stream after the last event, there is no other one to wait for.
    if (status.ok() || ended) return absl::OkStatus();
    if (!absl::IsUnavailable(status) || ++failures >= options_.watch_maximum_attempts) return status;
    Wait(options_.retry, BackoffAfter(options_.retry, failures));
  }
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

absl::StatusOr<v1::SweepSummary> Client::Sweep(const v1::SweepRequest& request,
                                               const std::function<void(const v1::SweepPoint&)>& on_point) {
  for (int attempt = 1;; ++attempt) {
    grpc::ClientContext context;
    SetDeadline(context, options_.long_deadline);
    const auto reader = stubs_->evaluation->Sweep(&context, request);
    v1::SweepResponse response;
    v1::SweepSummary summary;
    bool any = false;
    bool complete = false;
    while (reader->Read(&response)) {
      any = true;
      if (response.has_point()) on_point(response.point());
      if (response.has_summary()) {
        summary = response.summary();
        complete = true;
      }
    }
    const absl::Status status = FromGrpcStatus(reader->Finish());
    if (status.ok() && complete) return summary;
    if (status.ok()) return absl::DataLossError("the server ended the sweep without a summary; its version may differ");
    if (any || !absl::IsUnavailable(status) || attempt >= options_.retry.maximum_attempts) return status;
    Wait(options_.retry, BackoffAfter(options_.retry, attempt));
  }
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
