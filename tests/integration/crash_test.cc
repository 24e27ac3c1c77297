// Deaths, locks and full disks: what is left of the jobs, and of the server.

#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/sched/step_directory.h"
#include "tests/integration/end_to_end.h"

namespace modelpatch::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// The supervisor of a job's first step, and the worker below it.
pid_t SupervisorOf(const std::string& data_dir, const std::string& job) {
  return static_cast<pid_t>(
      sched::ReadSupervisorPid(sched::StepDirectory(sched::JobDirectory(data_dir + "/jobs", job), 0, "fine-tune")));
}

pid_t ChildOf(pid_t parent) {
  std::ifstream file("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
  pid_t child = 0;
  file >> child;
  return child;
}

class CrashTest : public EndToEnd {
 protected:
  void Start() {
    StartServer();
    if (HasFatalFailure()) return;
    ImportModelAndTasks();
  }
};

TEST_F(CrashTest, AKilledWorkerFailsItsJobWithTheSignalAndTheNextJobRuns) {
  Start();
  ASSERT_THAT(Submit(JobRequest("victim", 1'000'000)), Succeeds());
  ASSERT_THAT(Submit(JobRequest("next", 2)), Succeeds());
  ASSERT_FALSE(Watch("victim", IsTrainingProgress).empty());
  const pid_t worker = ChildOf(SupervisorOf(data_dir(), "victim"));
  ASSERT_GT(worker, 1);
  ASSERT_EQ(kill(worker, SIGKILL), 0);
  const v1::PatchJob victim = WaitForJob("victim");
  EXPECT_EQ(victim.state(), v1::PATCH_JOB_STATE_FAILED);
  EXPECT_EQ(victim.error().code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(victim.error().message(), HasSubstr("SIGKILL"));
  EXPECT_THAT(victim.error().SerializeAsString(), HasSubstr("WORKER_DIED"));
  EXPECT_EQ(victim.steps(0).state(), v1::STEP_STATE_FAILED);
  EXPECT_EQ(victim.steps(1).state(), v1::STEP_STATE_CANCELLED);
  const v1::PatchJob next = WaitForJob("next");
  EXPECT_EQ(next.state(), v1::PATCH_JOB_STATE_SUCCEEDED) << next.error().message();
  ExpectServerAlive();
}

TEST_F(CrashTest, AJobOutlivesTheServer) {
  Start();
  ASSERT_THAT(Submit(JobRequest("survivor", 200)), Succeeds());
  const std::vector<v1::PatchJobEvent> before = Watch("survivor", IsTrainingProgress);
  ASSERT_FALSE(before.empty());
  server_->Signal(SIGKILL);
  EXPECT_EQ(server_->Wait(), -SIGKILL);
  StartServer();
  // The stream goes on after the last event that was seen, without a gap.
  const std::vector<v1::PatchJobEvent> after = Watch("survivor", {}, before.back().number());
  ASSERT_FALSE(after.empty());
  EXPECT_EQ(after.front().number(), before.back().number() + 1);
  const v1::PatchJob job = GetJob("survivor");
  EXPECT_EQ(job.state(), v1::PATCH_JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.steps(0).attempt(), 1);
  EXPECT_THAT(Classify(ClassifyRequestAt("checkpoints/survivor", 0.5)), Succeeds());
}

TEST_F(CrashTest, AServerThatDiedWhileAJobWaitedRunsItLater) {
  Start();
  ASSERT_THAT(Submit(JobRequest("running", 1'000'000)), Succeeds());
  ASSERT_THAT(Submit(JobRequest("waiting", 2)), Succeeds());
  ASSERT_FALSE(Watch("running", IsTrainingProgress).empty());
  const pid_t supervisor = SupervisorOf(data_dir(), "running");
  server_->Signal(SIGKILL);
  server_->Wait();
  // Nobody is left to see the supervisor die.
  ASSERT_EQ(kill(supervisor, SIGKILL), 0);
  StartServer();
  EXPECT_EQ(WaitForJob("running").state(), v1::PATCH_JOB_STATE_FAILED);
  const v1::PatchJob waiting = WaitForJob("waiting");
  EXPECT_EQ(waiting.state(), v1::PATCH_JOB_STATE_SUCCEEDED) << waiting.error().message();
}

TEST_F(CrashTest, ASecondServerOnTheSameDataDirectoryIsRefused) {
  Start();
  std::string output;
  EXPECT_EQ(RunServerProgram(
                {"--data-dir", data_dir(), "--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"}, &output),
            1);
  EXPECT_THAT(output, HasSubstr("DATA_DIRECTORY_IN_USE"));
  ExpectServerAlive();
}

TEST_F(CrashTest, AnAddressInUseIsNamed) {
  Start();
  std::string output;
  EXPECT_EQ(RunServerProgram({"--data-dir", scratch_.Path("other"), "--grpc-address", server_->grpc_address(),
                              "--http-address", "127.0.0.1:0"},
                             &output),
            1);
  EXPECT_THAT(output, HasSubstr(server_->grpc_address()));
  ExpectServerAlive();
}

// A small file system of its own for the data directory, where we may mount one.
class FullDiskTest : public CrashTest {
 protected:
  void SetUp() override {
    fs::create_directories(data_dir());
    mounted_ = mount("tmpfs", data_dir().c_str(), "tmpfs", 0, "size=16m") == 0;
    if (!mounted_) GTEST_SKIP() << "cannot mount a tmpfs here";
  }
  void TearDown() override {
    CrashTest::TearDown();
    if (mounted_) umount2(data_dir().c_str(), MNT_DETACH);
  }

  // Leaves `bytes` free.
  void Fill(uint64_t bytes) {
    const uint64_t free = fs::space(data_dir()).available;
    ASSERT_GT(free, bytes);
    std::ofstream(data_dir() + "/filler") << std::string(free - bytes, 'f');
  }
  void Empty() { fs::remove(data_dir() + "/filler"); }

  bool mounted_ = false;
};

TEST_F(FullDiskTest, AFullDiskFailsWhatIsWrittenAndNothingElse) {
  Start();
  ASSERT_THAT(Submit(JobRequest("before", 2)), Succeeds());
  ASSERT_EQ(WaitForJob("before").state(), v1::PATCH_JOB_STATE_SUCCEEDED);
  const auto blob_count = [&] {
    return std::distance(fs::directory_iterator(data_dir() + "/blobs"), fs::directory_iterator());
  };
  ASSERT_EQ(blob_count(), 1);
  const uint64_t blob_bytes = fs::directory_iterator(data_dir() + "/blobs")->file_size();
  // Room for the job's small files, and not for a blob.
  ASSERT_GT(blob_bytes, 300'000u);
  Fill(blob_bytes / 2);
  ASSERT_THAT(Submit(JobRequest("full", 3)), Succeeds());
  const v1::PatchJob full = WaitForJob("full");
  EXPECT_EQ(full.state(), v1::PATCH_JOB_STATE_FAILED);
  EXPECT_EQ(full.error().code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(full.error().SerializeAsString(), HasSubstr("DISK_FULL"));

  v1::InterpolateRequest interpolate;
  interpolate.set_checkpoint_id("mixed");
  *interpolate.mutable_mixture() = ClassifyRequestAt("checkpoints/before", 0.3).mixture();
  grpc::ClientContext context;
  v1::Checkpoint checkpoint;
  EXPECT_THAT(stubs_->checkpoints->Interpolate(&context, interpolate, &checkpoint),
              AnswersWith(grpc::StatusCode::RESOURCE_EXHAUSTED, "DISK_FULL"));
  v1::ImportModelRequest import;
  import.set_model_id("another");
  import.set_path("tiny");
  grpc::ClientContext import_context;
  v1::Model model;
  EXPECT_THAT(stubs_->models->ImportModel(&import_context, import, &model),
              AnswersWith(grpc::StatusCode::RESOURCE_EXHAUSTED, "DISK_FULL"));
  EXPECT_EQ(blob_count(), 1) << "nothing half-written is left";
  EXPECT_TRUE(fs::is_empty(data_dir() + "/staging"));
  EXPECT_THAT(Classify(ClassifyRequestAt("checkpoints/before", 0.5)), Succeeds());

  Empty();
  grpc::ClientContext again_context;
  EXPECT_THAT(stubs_->checkpoints->Interpolate(&again_context, interpolate, &checkpoint), Succeeds());
  ASSERT_THAT(Submit(JobRequest("after", 2)), Succeeds());
  EXPECT_EQ(WaitForJob("after").state(), v1::PATCH_JOB_STATE_SUCCEEDED);
}

}  // namespace
}  // namespace modelpatch::testing
