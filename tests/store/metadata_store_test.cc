#include "core/store/metadata_store.h"

#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/store/sqlite_database.h"
#include "core/store/sqlite_metadata_store.h"
#include "core/store/sqlite_schema.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::store {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using ::testing::HasSubstr;

base::WallTime At(int64_t microseconds) { return base::WallTime(std::chrono::microseconds(microseconds)); }

JobRecord MakeJob(const std::string& id, int64_t time = 1) {
  JobRecord job;
  job.id = id;
  job.spec = std::string("sp\0ec", 5);
  job.create_time = At(time);
  return job;
}

StepRecord MakeStep(const std::string& job_id, int index) {
  StepRecord step;
  step.job_id = job_id;
  step.index = index;
  step.name = fmt::format("step-{}", index);
  step.spec = std::string("\0\xff", 2);
  if (index > 0) step.depends_on = {index - 1};
  step.state = index > 0 ? StepState::kWaiting : StepState::kQueued;
  step.requested_device = "cuda";
  step.lease_bytes = int64_t{1} << 40;
  return step;
}

class MetadataStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  void Open() {
    store_.reset();
    ASSERT_OK_AND_ASSIGN(store_, OpenSqliteMetadataStore(path_));
  }

  absl::Status CreateJob(const std::string& id, int64_t time = 1) {
    return store_->CreateJob(MakeJob(id, time), {MakeStep(id, 0), MakeStep(id, 1)}).status();
  }

  // Writes the job in `state`, without looking at its steps.
  absl::Status Move(const std::string& id, JobState state) {
    MP_ASSIGN_OR_RETURN(JobRecord job, store_->GetJob(id));
    job.state = state;
    return store_->CommitTransition(job, {}, {}).status();
  }

  const testing::ScratchDirectory scratch_;
  const std::string path_ = scratch_.Path("modelpatch.db");
  std::unique_ptr<MetadataStore> store_;
};

TEST_F(MetadataStoreTest, KeepsResourcesOverAReopening) {
  const ModelRecord model{"clip", "d1", R"({"a":1})", At(5)};
  const TaskRecord task{"mnist", "d2", "{}", R"({"classes":["zéro"]})", At(6)};
  const CheckpointRecord checkpoint{"c", "clip", "blob", "{}", "job", At(7)};
  ASSERT_OK(store_->InsertModel(model));
  ASSERT_OK(store_->InsertTask(task));
  ASSERT_OK(store_->InsertCheckpoint(checkpoint));
  Open();
  EXPECT_EQ(store_->GetModel("clip").value(), model);
  EXPECT_EQ(store_->GetTask("mnist").value(), task);
  EXPECT_EQ(store_->GetCheckpoint("c").value(), checkpoint);
}

TEST_F(MetadataStoreTest, RefusesDuplicatesAndUnknownIds) {
  EXPECT_THAT(store_->GetModel("x"), FailsWith(StatusCode::kNotFound, "MODEL_NOT_FOUND"));
  EXPECT_THAT(store_->GetTask("x"), FailsWith(StatusCode::kNotFound, "TASK_NOT_FOUND"));
  EXPECT_THAT(store_->GetCheckpoint("x"), FailsWith(StatusCode::kNotFound, "CHECKPOINT_NOT_FOUND"));
  EXPECT_THAT(store_->GetJob("x"), FailsWith(StatusCode::kNotFound, "PATCH_JOB_NOT_FOUND"));
  EXPECT_THAT(store_->ListSteps("x"), FailsWith(StatusCode::kNotFound, "PATCH_JOB_NOT_FOUND"));
  EXPECT_THAT(store_->DeleteModel("x"), FailsWith(StatusCode::kNotFound, "MODEL_NOT_FOUND"));
  EXPECT_THAT(store_->DeleteTask("x"), FailsWith(StatusCode::kNotFound, "TASK_NOT_FOUND"));
  EXPECT_THAT(store_->DeleteCheckpoint("x"), FailsWith(StatusCode::kNotFound, "CHECKPOINT_NOT_FOUND"));
  EXPECT_THAT(store_->DeleteJob("x"), FailsWith(StatusCode::kNotFound, "PATCH_JOB_NOT_FOUND"));
  const CheckpointRecord orphan{"c", "none", "b", "{}", "", At(1)};
  EXPECT_THAT(store_->InsertCheckpoint(orphan), FailsWith(StatusCode::kNotFound, "MODEL_NOT_FOUND"));

  const ModelRecord model{"m", "d", "{}", At(1)};
  ASSERT_OK(store_->InsertModel(model));
  EXPECT_THAT(store_->InsertModel(model), FailsWith(StatusCode::kAlreadyExists, "MODEL_ALREADY_EXISTS"));
  EXPECT_THAT(store_->InsertModel({"../m", "d", "{}", At(1)}),
              FailsWith(StatusCode::kInvalidArgument, "BAD_RESOURCE_ID"));
  ASSERT_OK(CreateJob("j"));
  EXPECT_THAT(CreateJob("j"), FailsWith(StatusCode::kAlreadyExists, "PATCH_JOB_ALREADY_EXISTS"));
}

TEST_F(MetadataStoreTest, DeletesWhatNothingNeeds) {
  ASSERT_OK(store_->InsertModel({"m", "d", "{}", At(1)}));
  ASSERT_OK(store_->InsertTask({"t", "d", "{}", "{}", At(1)}));
  ASSERT_OK(store_->InsertCheckpoint({"c", "m", "b", "{}", "", At(1)}));
  JobRecord job = MakeJob("j");
  job.uses = {{ResourceKind::kModel, "m"}, {ResourceKind::kTask, "t"}, {ResourceKind::kCheckpoint, "c"}};
  ASSERT_OK(store_->CreateJob(job, {MakeStep("j", 0)}));
  EXPECT_THAT(store_->DeleteModel("m"), FailsWith(StatusCode::kFailedPrecondition, "RESOURCE_IN_USE"));
  EXPECT_THAT(store_->DeleteTask("t"), FailsWith(StatusCode::kFailedPrecondition, "RESOURCE_IN_USE"));
  EXPECT_THAT(store_->DeleteCheckpoint("c"), FailsWith(StatusCode::kFailedPrecondition, "RESOURCE_IN_USE"));
  EXPECT_THAT(store_->DeleteJob("j"), FailsWith(StatusCode::kFailedPrecondition, "JOB_NOT_FINISHED"));

  ASSERT_OK(Move("j", JobState::kCancelled));
  EXPECT_OK(store_->DeleteTask("t"));
  EXPECT_THAT(store_->DeleteModel("m"),
              FailsWith(StatusCode::kFailedPrecondition, "RESOURCE_IN_USE"));  // its checkpoint
  EXPECT_OK(store_->DeleteCheckpoint("c"));
  EXPECT_OK(store_->DeleteModel("m"));
  EXPECT_OK(store_->DeleteJob("j"));
  EXPECT_THAT(store_->ListSteps("j"), FailsWith(StatusCode::kNotFound, "PATCH_JOB_NOT_FOUND"));
}

TEST_F(MetadataStoreTest, AnUnfinishedJobHoldsTheNameOfItsCheckpoint) {
  ASSERT_OK(store_->InsertModel({"m", "d", "{}", At(1)}));
  const CheckpointRecord merged{"j", "m", "b", "{}", "", At(1)};
  ASSERT_OK(CreateJob("j"));
  const absl::Status held = store_->InsertCheckpoint(merged);
  EXPECT_THAT(held, FailsWith(StatusCode::kAlreadyExists, "NAME_HELD_BY_PATCH_JOB"));
  EXPECT_THAT(std::string(held.message()), HasSubstr("patch job 'j'"));
  EXPECT_THAT(store_->InsertCheckpoint({"j-2-ema", "m", "b", "{}", "", At(1)}),
              FailsWith(StatusCode::kAlreadyExists, "NAME_HELD_BY_PATCH_JOB"));
  EXPECT_OK(store_->InsertCheckpoint({"j2", "m", "b", "{}", "", At(1)}));

  // The job itself may use it.
  ASSERT_OK(Move("j", JobState::kRunning));
  ASSERT_OK_AND_ASSIGN(JobRecord job, store_->GetJob("j"));
  const CheckpointRecord own{"j", "m", "b", "{}", "j", At(2)};
  ASSERT_OK_AND_ASSIGN(job.revision, store_->CommitTransition(job, {}, {own}));
  EXPECT_EQ(store_->GetCheckpoint("j").value(), own);

  // A job that ended without a checkpoint holds nothing.
  ASSERT_OK(CreateJob("k"));
  ASSERT_OK(Move("k", JobState::kCancelled));
  EXPECT_OK(store_->InsertCheckpoint({"k", "m", "b", "{}", "", At(1)}));
}

TEST_F(MetadataStoreTest, AJobCannotTakeTheNameOfACheckpoint) {
  ASSERT_OK(store_->InsertModel({"m", "d", "{}", At(1)}));
  ASSERT_OK(store_->InsertCheckpoint({"c", "m", "b", "{}", "", At(1)}));
  EXPECT_THAT(CreateJob("c"), FailsWith(StatusCode::kAlreadyExists, "CHECKPOINT_ALREADY_EXISTS"));
  EXPECT_THAT(store_->GetJob("c"), FailsWith(StatusCode::kNotFound, "PATCH_JOB_NOT_FOUND"));
}

TEST_F(MetadataStoreTest, AJobsCheckpointIsKeptUntilTheJobHasFinished) {
  ASSERT_OK(store_->InsertModel({"m", "d", "{}", At(1)}));
  ASSERT_OK(CreateJob("j"));
  ASSERT_OK(Move("j", JobState::kRunning));
  ASSERT_OK_AND_ASSIGN(const JobRecord job, store_->GetJob("j"));
  ASSERT_OK(store_->CommitTransition(job, {}, {{"j", "m", "b", "{}", "j", At(2)}}));
  const absl::Status used = store_->DeleteCheckpoint("j");
  EXPECT_THAT(used, FailsWith(StatusCode::kFailedPrecondition, "RESOURCE_IN_USE"));
  EXPECT_THAT(std::string(used.message()), HasSubstr("job 'j'"));
  ASSERT_OK(Move("j", JobState::kFailed));
  EXPECT_OK(store_->DeleteCheckpoint("j"));
}

TEST_F(MetadataStoreTest, PagesInTheOrderOfTimeThenId) {
  for (int i = 0; i < 7; ++i) ASSERT_OK(store_->InsertModel({fmt::format("m{}", 6 - i), "d", "{}", At(i / 3)}));
  std::vector<std::string> ids;
  PageRequest request{3, ""};
  do {
    ASSERT_OK_AND_ASSIGN(const Page<ModelRecord> page, store_->ListModels(request));
    EXPECT_LE(page.records.size(), 3u);
    for (const ModelRecord& model : page.records) ids.push_back(model.id);
    request.page_token = page.next_page_token;
    // What is deleted and inserted meanwhile, before the cursor, disturbs nothing.
    if (ids.size() == 3) {
      ASSERT_OK(store_->DeleteModel("m6"));
      ASSERT_OK(store_->InsertModel({"a", "d", "{}", At(0)}));
    }
  } while (!request.page_token.empty());
  EXPECT_EQ(ids, (std::vector<std::string>{"m4", "m5", "m6", "m1", "m2", "m3", "m0"}));
}

TEST_F(MetadataStoreTest, TheLastPageHasNoToken) {
  for (const char* id : {"a", "b"}) ASSERT_OK(store_->InsertTask({id, "d", "{}", "{}", At(1)}));
  EXPECT_EQ(store_->ListTasks({2, ""}).value().next_page_token, "");
  EXPECT_NE(store_->ListTasks({1, ""}).value().next_page_token, "");
  EXPECT_EQ(store_->ListTasks({}).value().records.size(), 2u);
}

TEST_F(MetadataStoreTest, RefusesBadPages) {
  for (const char* id : {"a", "b"}) ASSERT_OK(store_->InsertTask({id, "d", "{}", "{}", At(1)}));
  EXPECT_THAT(store_->ListTasks({-1, ""}), FailsWith(StatusCode::kInvalidArgument, "BAD_PAGE_SIZE"));
  const std::string token = store_->ListTasks({1, ""}).value().next_page_token;
  for (const std::string& bad :
       {std::string("zz"), std::string("0"), std::string("31203120"), token.substr(2), token + "g"}) {
    EXPECT_THAT(store_->ListTasks({1, bad}), FailsWith(StatusCode::kInvalidArgument, "BAD_PAGE_TOKEN")) << bad;
  }
  const auto other_list = store_->ListModels({1, token});
  EXPECT_THAT(other_list, FailsWith(StatusCode::kInvalidArgument, "BAD_PAGE_TOKEN"));
  EXPECT_EQ(base::FieldOf(other_list.status()), "page_token");
}

TEST_F(MetadataStoreTest, ListsCheckpointsOfOneModelAndBlobsOnce) {
  for (const char* id : {"m", "n"}) ASSERT_OK(store_->InsertModel({id, "d", "{}", At(1)}));
  ASSERT_OK(store_->InsertCheckpoint({"c1", "m", "blob", "{}", "", At(1)}));
  ASSERT_OK(store_->InsertCheckpoint({"c2", "n", "blob", "{}", "", At(2)}));
  ASSERT_OK(store_->InsertCheckpoint({"c3", "m", "abba", "{}", "", At(3)}));
  ASSERT_OK_AND_ASSIGN(const auto of_model, store_->ListCheckpoints({1, ""}, "m"));
  ASSERT_EQ(of_model.records.size(), 1u);
  ASSERT_OK_AND_ASSIGN(const auto rest, store_->ListCheckpoints({1, of_model.next_page_token}, "m"));
  EXPECT_EQ(rest.records[0].id, "c3");
  EXPECT_EQ(rest.next_page_token, "");
  EXPECT_THAT(store_->ListCheckpoints({1, of_model.next_page_token}, "n"),
              FailsWith(StatusCode::kInvalidArgument, "BAD_PAGE_TOKEN"));
  EXPECT_EQ(store_->ListCheckpoints({}, "").value().records.size(), 3u);
  EXPECT_EQ(store_->ListBlobDigests().value(), (std::vector<std::string>{"abba", "blob"}));
}

TEST_F(MetadataStoreTest, KeepsAJobWithItsSteps) {
  ASSERT_OK(store_->InsertModel({"m", "d", "{}", At(1)}));
  JobRecord job = MakeJob("j", 9);
  job.request_id = "r";
  job.request_digest = "d";
  job.uses = {{ResourceKind::kModel, "m"}};
  const std::vector<StepRecord> steps = {MakeStep("j", 0), MakeStep("j", 1)};
  ASSERT_OK_AND_ASSIGN(const CreatedJob created, store_->CreateJob(job, steps));
  EXPECT_TRUE(created.created);
  Open();
  EXPECT_EQ(store_->GetJob("j").value(), job);
  EXPECT_EQ(store_->ListSteps("j").value(), steps);
  EXPECT_EQ(store_->ListUnfinishedJobs().value(), std::vector<JobRecord>{job});
}

TEST_F(MetadataStoreTest, ARequestIdMakesOneJob) {
  JobRecord job = MakeJob("first");
  job.request_id = "r";
  job.request_digest = "d";
  ASSERT_OK(store_->CreateJob(job, {MakeStep("first", 0)}));
  JobRecord again = job;
  again.id = "second";
  ASSERT_OK_AND_ASSIGN(const CreatedJob same, store_->CreateJob(again, {MakeStep("second", 0)}));
  EXPECT_FALSE(same.created);
  EXPECT_EQ(same.job.id, "first");
  ASSERT_OK_AND_ASSIGN(const std::optional<JobRecord> found, store_->FindJobOfRequest("r", "d"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->id, "first");
  EXPECT_EQ(store_->FindJobOfRequest("another", "d").value(), std::nullopt);
  EXPECT_THAT(store_->FindJobOfRequest("r", "other"), FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
  again.request_digest = "other";
  EXPECT_THAT(store_->CreateJob(again, {MakeStep("second", 0)}),
              FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
  EXPECT_EQ(store_->ListJobs({}).value().records.size(), 1u);
  // Without a request id, jobs of the same content are different jobs.
  EXPECT_OK(CreateJob("third"));
  EXPECT_OK(CreateJob("fourth"));
  EXPECT_EQ(store_->FindJobOfRequest("", "").value(), std::nullopt);
}

TEST_F(MetadataStoreTest, RefusesJobsThatMakeNoSense) {
  const auto bad = [&](const std::vector<StepRecord>& steps) { return store_->CreateJob(MakeJob("j"), steps); };
  EXPECT_THAT(bad({}), FailsWith(StatusCode::kInvalidArgument, "BAD_JOB"));
  EXPECT_THAT(bad({MakeStep("j", 1)}), FailsWith(StatusCode::kInvalidArgument, "BAD_JOB"));
  EXPECT_THAT(bad({MakeStep("k", 0)}), FailsWith(StatusCode::kInvalidArgument, "BAD_JOB"));
  StepRecord step = MakeStep("j", 0);
  step.depends_on = {0};
  EXPECT_THAT(bad({step}), FailsWith(StatusCode::kInvalidArgument, "BAD_JOB"));
  step = MakeStep("j", 0);
  step.name = "../x";
  EXPECT_THAT(bad({step}), FailsWith(StatusCode::kInvalidArgument, "BAD_RESOURCE_ID"));
  step = MakeStep("j", 0);
  step.state = StepState::kRunning;
  EXPECT_THAT(bad({step}), FailsWith(StatusCode::kInvalidArgument, "BAD_JOB"));
  JobRecord job = MakeJob("j");
  job.uses = {{ResourceKind::kTask, "gone"}};
  EXPECT_THAT(store_->CreateJob(job, {MakeStep("j", 0)}), FailsWith(StatusCode::kNotFound, "TASK_NOT_FOUND"));
  EXPECT_THAT(store_->GetJob("j"), FailsWith(StatusCode::kNotFound, "PATCH_JOB_NOT_FOUND"));  // nothing half-written
}

TEST_F(MetadataStoreTest, CommitsJobStepsAndCheckpointsTogether) {
  ASSERT_OK(store_->InsertModel({"m", "d", "{}", At(1)}));
  ASSERT_OK(CreateJob("j"));
  ASSERT_OK_AND_ASSIGN(JobRecord job, store_->GetJob("j"));
  ASSERT_OK_AND_ASSIGN(std::vector<StepRecord> steps, store_->ListSteps("j"));
  job.state = JobState::kRunning;
  job.start_time = At(3);
  steps[0].state = StepState::kRunning;
  steps[0].attempt = 1;
  steps[0].device = "cuda:0";
  ASSERT_OK_AND_ASSIGN(job.revision, store_->CommitTransition(job, {steps[0]}, {}));
  EXPECT_EQ(job.revision, 1);
  EXPECT_EQ(store_->GetJob("j").value(), job);
  EXPECT_EQ(store_->ListSteps("j").value(), steps);

  // A checkpoint that cannot be stored takes the rest back with it.
  StepRecord done = steps[0];
  done.state = StepState::kSucceeded;
  done.result = std::string("\0r", 2);
  const CheckpointRecord good{"c", "m", "b", "{}", "j", At(4)};
  const CheckpointRecord bad{"c2", "none", "b", "{}", "j", At(4)};
  EXPECT_THAT(store_->CommitTransition(job, {done}, {good, bad}), FailsWith(StatusCode::kNotFound, "MODEL_NOT_FOUND"));
  EXPECT_EQ(store_->ListSteps("j").value(), steps);
  EXPECT_THAT(store_->GetCheckpoint("c"), FailsWith(StatusCode::kNotFound, "CHECKPOINT_NOT_FOUND"));
  EXPECT_OK(store_->CommitTransition(job, {done}, {good}));
  EXPECT_EQ(store_->ListSteps("j").value()[0], done);
  EXPECT_EQ(store_->GetCheckpoint("c").value(), good);
}

TEST_F(MetadataStoreTest, RefusesStaleAndIllegalCommits) {
  ASSERT_OK(CreateJob("j"));
  ASSERT_OK_AND_ASSIGN(const JobRecord old, store_->GetJob("j"));
  ASSERT_OK(Move("j", JobState::kRunning));
  EXPECT_THAT(store_->CommitTransition(old, {}, {}), FailsWith(StatusCode::kAborted, "STALE_REVISION"));
  EXPECT_THAT(Move("j", JobState::kQueued), FailsWith(StatusCode::kFailedPrecondition, "ILLEGAL_TRANSITION"));
  EXPECT_THAT(Move("j", JobState::kPaused), FailsWith(StatusCode::kFailedPrecondition, "ILLEGAL_TRANSITION"));

  ASSERT_OK_AND_ASSIGN(const JobRecord job, store_->GetJob("j"));
  StepRecord step = MakeStep("j", 0);
  step.state = StepState::kSucceeded;
  EXPECT_THAT(store_->CommitTransition(job, {step}, {}),
              FailsWith(StatusCode::kFailedPrecondition, "ILLEGAL_TRANSITION"));
  step.index = 7;
  EXPECT_THAT(store_->CommitTransition(job, {step}, {}), FailsWith(StatusCode::kNotFound, "STEP_NOT_FOUND"));
  EXPECT_EQ(store_->GetJob("j").value(), job);
}

TEST_F(MetadataStoreTest, ListsUnfinishedJobsInOrder) {
  ASSERT_OK(CreateJob("late", 9));
  ASSERT_OK(CreateJob("early", 1));
  ASSERT_OK(CreateJob("done", 5));
  ASSERT_OK(Move("done", JobState::kCancelled));
  ASSERT_OK_AND_ASSIGN(const std::vector<JobRecord> jobs, store_->ListUnfinishedJobs());
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].id, "early");
  EXPECT_EQ(jobs[1].id, "late");
}

TEST_F(MetadataStoreTest, ThreadsShareAStore) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 10; ++i) {
        EXPECT_OK(store_->InsertModel({fmt::format("m{}-{}", t, i), "d", "{}", At(t * 10 + i)}));
        EXPECT_OK(store_->ListModels({5, ""}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->ListModels({}).value().records.size(), 40u);
}

TEST_F(MetadataStoreTest, RefusesANewerSchema) {
  store_.reset();
  {
    ASSERT_OK_AND_ASSIGN(const auto database, SqliteDatabase::Open(path_));
    ASSERT_OK(database->Execute(fmt::format("PRAGMA user_version = {}", kSqliteSchemaVersion + 1)));
  }
  EXPECT_THAT(OpenSqliteMetadataStore(path_), FailsWith(StatusCode::kFailedPrecondition, "SCHEMA_TOO_NEW"));
}

TEST_F(MetadataStoreTest, RefusesAnotherProgramsDatabase) {
  const std::string other = scratch_.Path("other.db");
  {
    ASSERT_OK_AND_ASSIGN(const auto database, SqliteDatabase::Open(other));
    ASSERT_OK(database->Execute("CREATE TABLE bookmarks (url TEXT)"));
  }
  EXPECT_THAT(OpenSqliteMetadataStore(other), FailsWith(StatusCode::kFailedPrecondition, "NOT_A_METADATA_DATABASE"));
}

TEST_F(MetadataStoreTest, ReportsDamage) {
  for (int i = 0; i < 200; ++i) {
    ASSERT_OK(store_->InsertModel({fmt::format("m{}", i), std::string(200, 'd'), "{}", At(i)}));
  }
  store_.reset();  // the last connection writes the log back into the file
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    const std::string garbage(16384, '\x5a');
    file.write(garbage.data(), static_cast<std::streamsize>(garbage.size()));
  }
  EXPECT_THAT(OpenSqliteMetadataStore(path_), FailsWith(StatusCode::kDataLoss, "METADATA_CORRUPT"));

  const std::string text = scratch_.Path("text.db");
  testing::WriteTestFile(text, std::string(4096, 'x'));
  EXPECT_THAT(OpenSqliteMetadataStore(text), FailsWith(StatusCode::kDataLoss, "METADATA_CORRUPT"));
  EXPECT_FALSE(OpenSqliteMetadataStore(scratch_.Path("none/modelpatch.db")).ok());
}

}  // namespace
}  // namespace modelpatch::store
