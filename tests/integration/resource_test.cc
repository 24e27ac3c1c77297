// Resources that calls make, repeat and race for: names, request_ids, blobs, and images that are looked at in time.

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/end_to_end.h"

namespace modelpatch::testing {
namespace {

namespace fs = std::filesystem;
using grpc::StatusCode;
using ::testing::HasSubstr;
using ::testing::Not;

class ResourceTest : public EndToEnd {
 protected:
  void SetUp() override {
    StartServer();
    if (HasFatalFailure()) return;
    ImportModelAndTasks();
  }

  grpc::Status Import(const v1::ImportModelRequest& request) {
    grpc::ClientContext context;
    v1::Model model;
    return stubs_->models->ImportModel(&context, request, &model);
  }
  grpc::Status CreateTask(const v1::CreateTaskRequest& request) {
    grpc::ClientContext context;
    v1::Task task;
    return stubs_->tasks->CreateTask(&context, request, &task);
  }
  grpc::Status Interpolate(const v1::InterpolateRequest& request, v1::Checkpoint* checkpoint = nullptr) {
    grpc::ClientContext context;
    v1::Checkpoint ignored;
    return stubs_->checkpoints->Interpolate(&context, request, checkpoint == nullptr ? &ignored : checkpoint);
  }
  grpc::Status DeleteCheckpoint(const std::string& name) {
    grpc::ClientContext context;
    v1::DeleteCheckpointRequest request;
    request.set_name(name);
    google::protobuf::Empty empty;
    return stubs_->checkpoints->DeleteCheckpoint(&context, request, &empty);
  }
  grpc::Status DeleteTask(const std::string& name) {
    grpc::ClientContext context;
    v1::DeleteTaskRequest request;
    request.set_name(name);
    google::protobuf::Empty empty;
    return stubs_->tasks->DeleteTask(&context, request, &empty);
  }
  void Cancel(const std::string& id) {
    grpc::ClientContext context;
    v1::CancelPatchJobRequest request;
    request.set_name("patchJobs/" + id);
    v1::PatchJob job;
    ASSERT_THAT(stubs_->jobs->CancelPatchJob(&context, request, &job), Succeeds());
  }

  v1::ImportModelRequest ImportRequest(const std::string& request_id) const {
    v1::ImportModelRequest request;
    request.set_model_id("again");
    request.set_path("tiny");
    request.set_request_id(request_id);
    return request;
  }
  v1::CreateTaskRequest TaskRequest(const std::string& request_id) const {
    v1::CreateTaskRequest request;
    request.set_task_id("folder");
    request.set_request_id(request_id);
    v1::TaskFiles& files = *request.mutable_task()->mutable_files();
    files.set_format(v1::TASK_FORMAT_IMAGE_FOLDER);
    files.set_train_path("photos/learn");
    files.set_test_path("photos/exam");
    files.set_validation_fraction(0.5);
    return request;
  }
  v1::InterpolateRequest InterpolateRequest(const std::string& request_id, double alpha) const {
    v1::InterpolateRequest request;
    request.set_checkpoint_id("merged");
    request.set_request_id(request_id);
    *request.mutable_mixture() = ClassifyRequestAt("checkpoints/base", alpha).mixture();
    return request;
  }

  void WriteImageFolder() const {
    for (const char* split : {"learn", "exam"}) {
      for (const char* file : {"/red/1.png", "/red/2.png", "/blue/1.png", "/blue/2.png"}) {
        WriteTestFile(import_root() + "/photos/" + split + file, MakePng(8, 8, file[1] == 'r' ? 255 : 0, 0, 0));
      }
    }
  }
  // Makes checkpoints/base.
  void RunBaseJob() {
    ASSERT_THAT(Submit(JobRequest("base", 2)), Succeeds());
    ASSERT_EQ(WaitForJob("base").state(), v1::PATCH_JOB_STATE_SUCCEEDED);
  }
  v1::Checkpoint GetCheckpoint(const std::string& name) {
    grpc::ClientContext context;
    v1::GetCheckpointRequest request;
    request.set_name(name);
    v1::Checkpoint checkpoint;
    EXPECT_THAT(stubs_->checkpoints->GetCheckpoint(&context, request, &checkpoint), Succeeds());
    return checkpoint;
  }

  int64_t CountIn(const char* folder) const {
    return std::distance(fs::directory_iterator(data_dir() + "/" + folder), fs::directory_iterator());
  }
  // The collection follows a job's last event: asks until it has been.
  void ExpectGoneSoon(const std::string& path) {
    for (int i = 0; i < 100'000 && fs::exists(path); ++i) ExpectServerAlive();
    EXPECT_FALSE(fs::exists(path));
  }
  std::string BlobPath(const std::string& name) const { return data_dir() + "/blobs/" + name; }
};

// All of them at a time.
void ExpectAllSucceed(const std::function<grpc::Status()>& call) {
  std::vector<grpc::Status> results(3);
  {
    std::vector<std::jthread> threads;
    for (grpc::Status& result : results) threads.emplace_back([&] { result = call(); });
  }
  for (const grpc::Status& result : results) EXPECT_THAT(result, Succeeds());
}

TEST_F(ResourceTest, EqualCallsAtATimeMakeOneResource) {
  WriteImageFolder();
  RunBaseJob();
  ExpectAllSucceed([&] { return Import(ImportRequest("r")); });
  ExpectAllSucceed([&] { return CreateTask(TaskRequest("r")); });
  ExpectAllSucceed([&] { return Interpolate(InterpolateRequest("r", 0.5)); });
  EXPECT_EQ(CountIn("models"), 1);
  EXPECT_EQ(CountIn("tasks"), 1);
  EXPECT_EQ(CountIn("blobs"), 2);
  EXPECT_EQ(CountIn("staging"), 0);
}

TEST_F(ResourceTest, ARequestIdIsForOneRequest) {
  WriteImageFolder();
  RunBaseJob();
  ASSERT_THAT(Import(ImportRequest("r")), Succeeds());
  v1::ImportModelRequest import = ImportRequest("r");
  import.set_path("another");
  EXPECT_THAT(Import(import), AnswersWith(StatusCode::ALREADY_EXISTS, "REQUEST_ID_REUSED"));
  ASSERT_THAT(CreateTask(TaskRequest("r")), Succeeds());
  v1::CreateTaskRequest task = TaskRequest("r");
  task.mutable_task()->mutable_files()->clear_test_path();
  EXPECT_THAT(CreateTask(task), AnswersWith(StatusCode::ALREADY_EXISTS, "REQUEST_ID_REUSED"));
  ASSERT_THAT(Interpolate(InterpolateRequest("r", 0.5)), Succeeds());
  const grpc::Status reused = Interpolate(InterpolateRequest("r", 0.25));
  EXPECT_THAT(reused, AnswersWith(StatusCode::ALREADY_EXISTS, "REQUEST_ID_REUSED"));
  EXPECT_EQ(FieldOf(reused), "request_id");
}

TEST_F(ResourceTest, ARepeatedJobIsAnsweredWhenItsTaskHasGone) {
  v1::CreatePatchJobRequest request = JobRequest("", 2);
  request.set_request_id("r");
  v1::PatchJob first;
  ASSERT_THAT(Submit(request, &first), Succeeds());
  ASSERT_EQ(WaitForJob(first.name().substr(std::string("patchJobs/").size())).state(), v1::PATCH_JOB_STATE_SUCCEEDED);
  ASSERT_THAT(DeleteTask("tasks/colors"), Succeeds());
  v1::PatchJob second;
  ASSERT_THAT(Submit(request, &second), Succeeds());
  EXPECT_EQ(second.name(), first.name());
  EXPECT_EQ(second.state(), v1::PATCH_JOB_STATE_SUCCEEDED);
}

TEST_F(ResourceTest, NobodyTakesTheNameOfAJobsCheckpoint) {
  RunBaseJob();
  ASSERT_THAT(Submit(JobRequest("merged", 1'000'000)), Succeeds());
  const grpc::Status held = Interpolate(InterpolateRequest("", 0.5));
  EXPECT_THAT(held, AnswersWith(StatusCode::ALREADY_EXISTS, "NAME_HELD_BY_PATCH_JOB"));
  EXPECT_THAT(held.error_message(), HasSubstr("merged"));
  EXPECT_EQ(FieldOf(held), "checkpoint_id");
  Cancel("merged");
  WaitForJob("merged");
  EXPECT_THAT(Interpolate(InterpolateRequest("", 0.5)), Succeeds());
  const grpc::Status taken = Submit(JobRequest("merged", 1));
  EXPECT_EQ(taken.error_code(), StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(FieldOf(taken), "patch_job_id");
}

TEST_F(ResourceTest, CheckpointsOfOneBlobHaveItsSize) {
  RunBaseJob();
  const v1::Checkpoint base = GetCheckpoint("checkpoints/base");
  v1::Checkpoint merged;
  ASSERT_THAT(Interpolate(InterpolateRequest("", 1), &merged), Succeeds());
  EXPECT_EQ(merged.blob_digest(), base.blob_digest());
  EXPECT_EQ(merged.size_bytes(), base.size_bytes());
  EXPECT_EQ(merged.size_bytes(), static_cast<int64_t>(fs::file_size(BlobPath(base.blob_digest() + ".safetensors"))));
  ASSERT_EQ(base.accuracies_size(), 1);
  EXPECT_EQ(base.accuracies(0).total(), 60);
  EXPECT_EQ(base.accuracies(0).accuracy(), base.accuracies(0).correct() / 60.0);
}

TEST_F(ResourceTest, ATaskWithABrokenImageIsRefused) {
  const std::string png = MakePng(64, 64, 1, 2, 3);
  const struct {
    const char* file;
    std::string content;
    const char* reason;
    const char* field;
  } cases[] = {{"learn/red/2.png", png.substr(0, png.size() / 2), "IMAGE_TRUNCATED", "task.files.train_path"},
               {"exam/blue/1.png", "no image at all, but text", "IMAGE_UNKNOWN_FORMAT", "task.files.test_path"}};
  for (const auto& one : cases) {
    WriteImageFolder();
    WriteTestFile(import_root() + "/photos/" + one.file, one.content);
    const grpc::Status refused = CreateTask(TaskRequest(""));
    EXPECT_THAT(refused, AnswersWith(StatusCode::INVALID_ARGUMENT, one.reason));
    EXPECT_EQ(FieldOf(refused), one.field);
    EXPECT_THAT(refused.error_message(), HasSubstr(std::string("photos/") + one.file));
    EXPECT_THAT(refused.error_message(), Not(HasSubstr(data_dir())));
  }
  EXPECT_EQ(CountIn("tasks"), 0);
  EXPECT_EQ(CountIn("staging"), 0);
  WriteImageFolder();
  EXPECT_THAT(CreateTask(TaskRequest("")), Succeeds());
}

TEST_F(ResourceTest, WhatIsDamagedLaterIsNamedAsAFileOfTheTask) {
  WriteImageFolder();
  ASSERT_THAT(CreateTask(TaskRequest("")), Succeeds());
  const std::string copy = fs::directory_iterator(data_dir() + "/tasks")->path().string() + "/test/red/2.png";
  WriteTestFile(copy, "damaged");
  v1::EvaluateRequest request;
  request.mutable_mixture()->set_model("models/tiny");
  request.add_tasks("tasks/folder");
  grpc::ClientContext context;
  v1::EvaluateResponse response;
  const grpc::Status status = stubs_->evaluation->Evaluate(&context, request, &response);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.error_message(), HasSubstr("task folder: test/red/2.png"));
  EXPECT_THAT(status.error_message(), Not(HasSubstr(data_dir())));
}

TEST_F(ResourceTest, UnusedBlobsGoAtTheEndOfAJob) {
  RunBaseJob();
  ASSERT_THAT(Submit(JobRequest("long", 1'000'000)), Succeeds());
  ASSERT_FALSE(Watch("long", IsTrainingProgress).empty());
  // What a worker that was killed, and a job that failed before this one, have left.
  const std::string recent = BlobPath("recent.safetensors.7.tmp");
  const std::string old = BlobPath("old.safetensors");
  WriteTestFile(recent, "half");
  WriteTestFile(old, "whole");
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(1));
  ASSERT_THAT(Interpolate(InterpolateRequest("", 0.5)), Succeeds());
  ASSERT_THAT(DeleteCheckpoint("checkpoints/merged"), Succeeds());
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(recent)) << "the running job may be writing it";
  Cancel("long");
  WaitForJob("long");
  ExpectGoneSoon(recent);
  EXPECT_THAT(Classify(ClassifyRequestAt("checkpoints/base", 0.5)), Succeeds());
}

TEST_F(ResourceTest, UnusedBlobsGoAtTheEndOfAJobOfAnEarlierServer) {
  ASSERT_THAT(Submit(JobRequest("long", 1'000'000)), Succeeds());
  ASSERT_FALSE(Watch("long", IsTrainingProgress).empty());
  const std::string recent = BlobPath("recent.safetensors.7.tmp");
  WriteTestFile(recent, "half");
  server_->Signal(SIGTERM);
  ASSERT_EQ(server_->Wait(), 0);
  StartServer();
  EXPECT_TRUE(fs::exists(recent));
  Cancel("long");
  WaitForJob("long");
  ExpectGoneSoon(recent);
}

}  // namespace
}  // namespace modelpatch::testing
