#include "server/garbage_collection.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/store/sqlite_metadata_store.h"
#include "core/train/step_result.h"
#include "server/job_planner.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::server {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// The files are no weights: nobody looks into them.
class CollectBlobsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(blobs_.directory());
    ASSERT_OK_AND_ASSIGN(store_, store::OpenSqliteMetadataStore(scratch_.Path("metadata.db")));
    ASSERT_OK(store_->InsertModel({"m", "digest", "{}", clock_.Now()}));
  }

  // A file in the blob directory that was written `age` ago.
  void Write(const std::string& name, std::chrono::minutes age) {
    const std::string path = blobs_.directory() + "/" + name;
    testing::WriteTestFile(path, "x");
    fs::last_write_time(path, fs::file_time_type::clock::now() - age);
  }
  bool Exists(const std::string& name) const { return fs::exists(blobs_.directory() + "/" + name); }

  // A job whose fine-tuning began `age` ago.
  void StartJob(const std::string& id, std::chrono::minutes age) {
    store::JobRecord job;
    job.id = id;
    job.create_time = clock_.Now() - age;
    store::StepRecord step;
    step.job_id = id;
    step.name = "fine-tune";
    step.state = store::StepState::kQueued;
    ASSERT_OK(store_->CreateJob(job, {step}));
    job.state = store::JobState::kRunning;
    job.start_time = clock_.Now() - age;
    step.state = store::StepState::kRunning;
    ASSERT_OK(store_->CommitTransition(job, {step}, {}));
  }
  void FinishStep(const std::string& id, const std::string& blob) {
    ASSERT_OK_AND_ASSIGN(const store::JobRecord job, store_->GetJob(id));
    ASSERT_OK_AND_ASSIGN(std::vector<store::StepRecord> steps, store_->ListSteps(id));
    train::FineTuneResult result;
    result.blob = blob;
    steps[0].state = store::StepState::kSucceeded;
    steps[0].result = train::FineTuneResultToJson(result);
    ASSERT_OK(store_->CommitTransition(job, steps, {}));
  }
  void FailJob(const std::string& id) {
    ASSERT_OK_AND_ASSIGN(store::JobRecord job, store_->GetJob(id));
    job.state = store::JobState::kFailed;
    ASSERT_OK(store_->CommitTransition(job, {}, {}));
  }
  void Collect() { CollectBlobs(blobs_, *store_, clock_.Now(), *log_); }

  const testing::ScratchDirectory scratch_;
  const base::SystemClock clock_;
  const std::unique_ptr<base::Logger> log_ = base::MakeNullLogger();
  const store::BlobStore blobs_{scratch_.Path("blobs")};
  std::unique_ptr<store::MetadataStore> store_;
};

TEST_F(CollectBlobsTest, KeepsTheBlobsOfCheckpointsOnly) {
  Write("used.safetensors", 9min);
  Write("unused.safetensors", 9min);
  Write("used.safetensors.1234.tmp", 9min);
  ASSERT_OK(store_->InsertCheckpoint({"c", "m", "used", "{}", "", clock_.Now()}));
  Collect();
  EXPECT_TRUE(Exists("used.safetensors"));
  EXPECT_FALSE(Exists("unused.safetensors"));
  EXPECT_FALSE(Exists("used.safetensors.1234.tmp"));
}

TEST_F(CollectBlobsTest, SparesWhatAnUnfinishedJobMayHaveWritten) {
  StartJob("first", 60min);
  StartJob("second", 10min);
  Write("of-first.safetensors", 30min);
  Write("half-of-second.safetensors.7.tmp", 1min);
  Write("earlier.safetensors", 90min);
  Collect();
  EXPECT_TRUE(Exists("of-first.safetensors"));
  EXPECT_TRUE(Exists("half-of-second.safetensors.7.tmp"));
  EXPECT_FALSE(Exists("earlier.safetensors"));
  FailJob("first");
  Collect();
  EXPECT_FALSE(Exists("of-first.safetensors"));
  EXPECT_TRUE(Exists("half-of-second.safetensors.7.tmp"));
  FailJob("second");
  Collect();
  EXPECT_FALSE(Exists("half-of-second.safetensors.7.tmp"));
}

TEST_F(CollectBlobsTest, SparesTheResultsOfAnUnfinishedJobsSteps) {
  StartJob("j", 10min);
  FinishStep("j", "result");
  Write("result.safetensors", 60min);
  Collect();
  EXPECT_TRUE(Exists("result.safetensors"));
  FailJob("j");
  Collect();
  EXPECT_FALSE(Exists("result.safetensors"));
}

TEST_F(CollectBlobsTest, SparesWhatIsNewerThanTheLookAtTheJobs) {
  Write("new.safetensors", 0min);
  CollectBlobs(blobs_, *store_, clock_.Now() - 1min, *log_);
  EXPECT_TRUE(Exists("new.safetensors"));
}

}  // namespace
}  // namespace modelpatch::server
