#include "tests/integration/end_to_end.h"

#include <csignal>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/data/image_codec.h"
#include "core/sched/step_directory.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace modelpatch::testing {
namespace {

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  return details;
}

}  // namespace

std::string ReasonOf(const grpc::Status& status) {
  const google::rpc::Status details = DetailsOf(status);
  for (const auto& any : details.details()) {
    if (google::rpc::ErrorInfo info; any.UnpackTo(&info)) return info.reason();
  }
  return "";
}

std::string FieldOf(const grpc::Status& status) {
  const google::rpc::Status details = DetailsOf(status);
  for (const auto& any : details.details()) {
    google::rpc::BadRequest bad_request;
    if (any.UnpackTo(&bad_request) && bad_request.field_violations_size() > 0)
      return bad_request.field_violations(0).field();
  }
  return "";
}

Stubs::Stubs(const std::shared_ptr<grpc::Channel>& channel)
    : models(v1::ModelService::NewStub(channel)),
      tasks(v1::TaskService::NewStub(channel)),
      jobs(v1::PatchJobService::NewStub(channel)),
      checkpoints(v1::CheckpointService::NewStub(channel)),
      evaluation(v1::EvaluationService::NewStub(channel)),
      inference(v1::InferenceService::NewStub(channel)) {}

std::string MakePng(int width, int height, uint8_t red, uint8_t green, uint8_t blue) {
  data::RgbImage image;
  image.width = width;
  image.height = height;
  for (int i = 0; i < width * height; ++i) image.pixels.insert(image.pixels.end(), {red, green, blue});
  const auto png = data::EncodePng(image);
  EXPECT_TRUE(png.ok());
  return png.ok() ? *png : "";
}

bool IsTrainingProgress(const v1::PatchJobEvent& event) { return event.has_progress() && event.progress().step() >= 1; }

void EndToEnd::TearDown() {
  stubs_.reset();
  server_.reset();
  std::error_code error;
  for (const auto& job : std::filesystem::directory_iterator(data_dir() + "/jobs", error)) {
    for (const auto& step : std::filesystem::directory_iterator(job.path(), error)) {
      const auto supervisor = static_cast<pid_t>(sched::ReadSupervisorPid(step.path().string()));
      // While the lock is held, the number is the supervisor's and nobody else's; its worker dies with it.
      if (supervisor > 1 && sched::IsLockHeld(step.path().string())) kill(supervisor, SIGKILL);
    }
  }
}

void EndToEnd::StartServer(std::vector<std::string> arguments) {
  std::filesystem::create_directories(import_root());
  arguments.insert(arguments.end(), {"--import-root", import_root(), "--threads", "1"});
  server_ = ServerProcess::Start(data_dir(), std::move(arguments));
  ASSERT_NE(server_, nullptr);
  stubs_ = std::make_unique<Stubs>(server_->Connect());
}

void EndToEnd::ImportModelAndTasks() {
  WriteTinyModel(import_root() + "/tiny");
  v1::ImportModelRequest request;
  request.set_model_id("tiny");
  request.set_path("tiny");
  grpc::ClientContext context;
  v1::Model model;
  ASSERT_THAT(stubs_->models->ImportModel(&context, request, &model), Succeeds());
  CreateGeneratedTask("shapes", "shapes");
  CreateGeneratedTask("colors", "colors");
}

void EndToEnd::CreateGeneratedTask(const std::string& id, const std::string& generator) {
  v1::CreateTaskRequest request;
  request.set_task_id(id);
  v1::TaskGenerator& source = *request.mutable_task()->mutable_generator();
  source.set_generator(generator);
  source.set_train_examples(200);
  source.set_validation_examples(60);
  source.set_test_examples(60);
  grpc::ClientContext context;
  v1::Task task;
  ASSERT_THAT(stubs_->tasks->CreateTask(&context, request, &task), Succeeds());
}

v1::CreatePatchJobRequest EndToEnd::JobRequest(const std::string& id, int steps, int batch_size) const {
  v1::CreatePatchJobRequest request;
  request.set_patch_job_id(id);
  v1::PatchJobSpec& spec = *request.mutable_patch_job()->mutable_spec();
  spec.set_model("models/tiny");
  spec.add_patching_tasks("tasks/colors");
  spec.add_supported_tasks("tasks/shapes");
  for (const double alpha : {0.0, 0.5, 1.0}) spec.add_alphas(alpha);
  spec.mutable_fine_tune()->set_steps(steps);
  spec.mutable_fine_tune()->set_batch_size(batch_size);
  spec.mutable_fine_tune()->set_learning_rate(1e-3);
  return request;
}

grpc::Status EndToEnd::Submit(const v1::CreatePatchJobRequest& request, v1::PatchJob* job) {
  grpc::ClientContext context;
  v1::PatchJob ignored;
  return stubs_->jobs->CreatePatchJob(&context, request, job == nullptr ? &ignored : job);
}

v1::PatchJob EndToEnd::GetJob(const std::string& id) {
  grpc::ClientContext context;
  v1::GetPatchJobRequest request;
  request.set_name("patchJobs/" + id);
  v1::PatchJob job;
  EXPECT_THAT(stubs_->jobs->GetPatchJob(&context, request, &job), Succeeds());
  return job;
}

std::vector<v1::PatchJobEvent> EndToEnd::Watch(const std::string& id,
                                               const std::function<bool(const v1::PatchJobEvent&)>& until,
                                               int64_t after) {
  grpc::ClientContext context;
  v1::WatchPatchJobRequest request;
  request.set_name("patchJobs/" + id);
  request.set_after_event_number(after);
  const auto reader = stubs_->jobs->WatchPatchJob(&context, request);
  std::vector<v1::PatchJobEvent> events;
  v1::PatchJobEvent event;
  while (reader->Read(&event)) {
    events.push_back(event);
    if (until && until(event)) {
      context.TryCancel();
      reader->Finish();
      return events;
    }
  }
  EXPECT_THAT(reader->Finish(), Succeeds());
  return events;
}

v1::PatchJob EndToEnd::WaitForJob(const std::string& id) {
  Watch(id);
  return GetJob(id);
}

v1::ClassifyRequest EndToEnd::ClassifyRequestAt(const std::string& checkpoint, double alpha) const {
  v1::ClassifyRequest request;
  request.mutable_mixture()->set_model("models/tiny");
  if (!checkpoint.empty()) {
    auto* term = request.mutable_mixture()->add_terms();
    term->set_checkpoint(checkpoint);
    term->set_coefficient(alpha);
  }
  for (const char* name : {"red", "green", "blue"})
    request.mutable_class_prompts()->mutable_names()->add_class_names(name);
  request.add_images()->set_encoded(MakePng(20, 16, 255, 0, 0));
  return request;
}

grpc::Status EndToEnd::Classify(const v1::ClassifyRequest& request, v1::ClassifyResponse* response) {
  grpc::ClientContext context;
  v1::ClassifyResponse ignored;
  return stubs_->inference->Classify(&context, request, response == nullptr ? &ignored : response);
}

void EndToEnd::ExpectServerAlive() {
  ASSERT_TRUE(server_->IsRunning());
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  EXPECT_THAT(stubs_->models->ListModels(&context, {}, &response), Succeeds());
}

}  // namespace modelpatch::testing
