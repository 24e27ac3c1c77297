// Client: typed calls to a modelpatch-server.
//
// Every call blocks and returns the response or the server's error, with its details (see status_details.h). Calls that
// are safe to repeat are tried again, with growing waits, while the server is UNAVAILABLE; creations are safe to repeat
// because the client gives each one a request_id unless the caller did. Messages may have up to 64 MiB. Thread safety:
// thread-safe. Ownership: shares the channel.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/retry.h"
#include "modelpatch/v1/checkpoint_service.pb.h"
#include "modelpatch/v1/evaluation_service.pb.h"
#include "modelpatch/v1/inference_service.pb.h"
#include "modelpatch/v1/model_service.pb.h"
#include "modelpatch/v1/patch_job_service.pb.h"
#include "modelpatch/v1/patch_service.pb.h"
#include "modelpatch/v1/resources.pb.h"
#include "modelpatch/v1/task_service.pb.h"

namespace grpc {
class ChannelInterface;
}

namespace modelpatch::client {

struct ClientOptions {
  // For calls that answer at once.
  std::chrono::milliseconds deadline = std::chrono::seconds(60);
  // For imports, creations that read data, interpolations, evaluations and each sweep.
  std::chrono::milliseconds long_deadline = std::chrono::hours(1);
  RetryPolicy retry;
  // Tries in a row of a watch whose connection broke. With the waits above, 20 are half a minute: a server that is
  // restarted is back by then.
  int watch_maximum_attempts = 20;
};

// A channel to `address` (HOST:PORT) without encryption that lets messages of 64 MiB pass.
std::shared_ptr<grpc::ChannelInterface> MakeChannel(const std::string& address);

class Client {
 public:
  explicit Client(const std::string& address, ClientOptions options = {});
  // The channel decides how large a message may be.
  explicit Client(std::shared_ptr<grpc::ChannelInterface> channel, ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The errors of each call are listed beside it in proto/modelpatch/v1.
  absl::StatusOr<v1::Model> ImportModel(v1::ImportModelRequest request);
  absl::StatusOr<v1::Model> InitializeModel(v1::InitializeModelRequest request);
  absl::StatusOr<v1::Model> GetModel(const std::string& name);
  absl::StatusOr<v1::ListModelsResponse> ListModels(const v1::ListModelsRequest& request);
  absl::Status DeleteModel(const std::string& name);
  absl::StatusOr<v1::ExportModelResponse> ExportModel(const v1::ExportModelRequest& request);

  absl::StatusOr<v1::Task> CreateTask(v1::CreateTaskRequest request);
  absl::StatusOr<v1::Task> GetTask(const std::string& name);
  absl::StatusOr<v1::ListTasksResponse> ListTasks(const v1::ListTasksRequest& request);
  absl::Status DeleteTask(const std::string& name);

  absl::StatusOr<v1::PatchJob> CreatePatchJob(v1::CreatePatchJobRequest request);
  absl::StatusOr<v1::PatchJob> GetPatchJob(const std::string& name);
  absl::StatusOr<v1::ListPatchJobsResponse> ListPatchJobs(const v1::ListPatchJobsRequest& request);
  absl::StatusOr<v1::PatchJob> CancelPatchJob(const std::string& name);
  absl::Status DeletePatchJob(const std::string& name);

  // Calls `on_event` for each event with a number above `after_event_number`, in order and once each, until the job has
  // ended; or until `on_event` returns false, which is OK too. A connection that breaks is taken up again after the
  // last event. There is no deadline.
  absl::Status WatchPatchJob(const std::string& name, int64_t after_event_number,
                             const std::function<bool(const v1::PatchJobEvent&)>& on_event);

  absl::StatusOr<v1::Checkpoint> GetCheckpoint(const std::string& name);
  absl::StatusOr<v1::ListCheckpointsResponse> ListCheckpoints(const v1::ListCheckpointsRequest& request);
  absl::Status DeleteCheckpoint(const std::string& name);
  absl::StatusOr<v1::Checkpoint> ImportCheckpoint(v1::ImportCheckpointRequest request);
  absl::StatusOr<v1::Checkpoint> Interpolate(v1::InterpolateRequest request);
  absl::StatusOr<v1::CompareCheckpointsResponse> CompareCheckpoints(const v1::CompareCheckpointsRequest& request);

  absl::StatusOr<v1::Patch> CreatePatch(v1::CreatePatchRequest request);
  absl::StatusOr<v1::Patch> GetPatch(const std::string& name);
  absl::StatusOr<v1::ListPatchesResponse> ListPatches(const v1::ListPatchesRequest& request);
  absl::Status DeletePatch(const v1::DeletePatchRequest& request);
  absl::StatusOr<v1::Patch> PromotePatch(const v1::PromotePatchRequest& request);
  absl::StatusOr<v1::Patch> RollbackPatch(const v1::RollbackPatchRequest& request);

  absl::StatusOr<v1::EvaluateResponse> Evaluate(const v1::EvaluateRequest& request);
  // Calls `on_point` for each point as soon as it is known, and returns the summary. Not tried again once a point has
  // come.
  absl::StatusOr<v1::SweepSummary> Sweep(const v1::SweepRequest& request,
                                         const std::function<void(const v1::SweepPoint&)>& on_point);

  absl::StatusOr<v1::ClassifyResponse> Classify(const v1::ClassifyRequest& request);
  absl::StatusOr<v1::EncodeImagesResponse> EncodeImages(const v1::EncodeImagesRequest& request);
  absl::StatusOr<v1::EncodeTextsResponse> EncodeTexts(const v1::EncodeTextsRequest& request);
  absl::StatusOr<v1::TokenizeResponse> Tokenize(const v1::TokenizeRequest& request);

 private:
  struct Stubs;

  const ClientOptions options_;
  const std::unique_ptr<Stubs> stubs_;
};

}  // namespace modelpatch::client
