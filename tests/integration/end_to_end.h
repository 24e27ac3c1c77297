// EndToEnd: a real server over a scratch directory, a tiny imported model, two generated tasks, and stubs to call it
// with.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "modelpatch/v1/checkpoint_service.grpc.pb.h"
#include "modelpatch/v1/evaluation_service.grpc.pb.h"
#include "modelpatch/v1/inference_service.grpc.pb.h"
#include "modelpatch/v1/model_service.grpc.pb.h"
#include "modelpatch/v1/patch_job_service.grpc.pb.h"
#include "modelpatch/v1/task_service.grpc.pb.h"
#include "tests/integration/server_process.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::testing {

// The reason in the details of a failed call; "" without one.
std::string ReasonOf(const grpc::Status& status);
// The field path in them.
std::string FieldOf(const grpc::Status& status);

// A failed call of this code and reason.
MATCHER_P2(AnswersWith, code, reason,
           fmt::format("answers with code {} and reason {}", static_cast<int>(code), reason)) {
  *result_listener << "which is code " << arg.error_code() << ", reason '" << ReasonOf(arg)
                   << "': " << arg.error_message();
  return arg.error_code() == code && ReasonOf(arg) == reason;
}

MATCHER(Succeeds, "succeeds") {
  *result_listener << "which is code " << arg.error_code() << ", reason '" << ReasonOf(arg)
                   << "': " << arg.error_message();
  return arg.ok();
}

// One stub of each service over one channel.
struct Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel);

  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::TaskService::Stub> tasks;
  std::unique_ptr<v1::PatchJobService::Stub> jobs;
  std::unique_ptr<v1::CheckpointService::Stub> checkpoints;
  std::unique_ptr<v1::EvaluationService::Stub> evaluation;
  std::unique_ptr<v1::InferenceService::Stub> inference;
};

// A PNG image of one colour.
std::string MakePng(int width, int height, uint8_t red, uint8_t green, uint8_t blue);

class EndToEnd : public ::testing::Test {
 protected:
  // Ends what a job may have left running.
  void TearDown() override;
  // Starts a server on `data`, with `roots` as import root.
  void StartServer(std::vector<std::string> arguments = {});
  // Imports the tiny model as models/tiny and makes tasks/shapes and tasks/colors.
  void ImportModelAndTasks();
  void CreateGeneratedTask(const std::string& id, const std::string& generator);

  // A job that fine-tunes for `steps` steps of `batch_size` images, and searches three α.
  v1::CreatePatchJobRequest JobRequest(const std::string& id, int steps, int batch_size = 8) const;
  grpc::Status Submit(const v1::CreatePatchJobRequest& request, v1::PatchJob* job = nullptr);
  v1::PatchJob GetJob(const std::string& id);
  // Follows the job until `until` is true of an event, or to its end. Returns the events.
  std::vector<v1::PatchJobEvent> Watch(const std::string& id,
                                       const std::function<bool(const v1::PatchJobEvent&)>& until = {},
                                       int64_t after = 0);
  // Follows the job to its end.
  v1::PatchJob WaitForJob(const std::string& id);

  v1::ClassifyRequest ClassifyRequestAt(const std::string& checkpoint, double alpha) const;
  grpc::Status Classify(const v1::ClassifyRequest& request, v1::ClassifyResponse* response = nullptr);
  // Whether the server still lives and answers.
  void ExpectServerAlive();

  std::string data_dir() const { return scratch_.Path("data"); }
  std::string import_root() const { return scratch_.Path("imports"); }

  ScratchDirectory scratch_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Stubs> stubs_;
};

// Whether training has begun.
bool IsTrainingProgress(const v1::PatchJobEvent& event);

}  // namespace modelpatch::testing
