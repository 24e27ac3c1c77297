#include "core/store/sqlite_metadata_store.h"

#include <fmt/format.h>

#include <optional>
#include <type_traits>
#include <utility>

#include "core/base/mutex.h"
#include "core/base/text.h"
#include "core/store/sqlite_database.h"
#include "core/store/sqlite_job_tables.h"
#include "core/store/sqlite_resource_tables.h"
#include "core/store/sqlite_schema.h"

namespace modelpatch::store {
namespace {

absl::Status CheckSameRequest(const JobRecord& earlier, const std::string& request_digest) {
  if (earlier.request_digest == request_digest) return absl::OkStatus();
  return base::WithField(
      base::AlreadyExists(
          "REQUEST_ID_REUSED",
          fmt::format("request_id '{}' was used for job '{}' with other content; give another request_id",
                      base::Printable(earlier.request_id), earlier.id)),
      "request_id");
}

class SqliteMetadataStore final : public MetadataStore {
 public:
  explicit SqliteMetadataStore(std::unique_ptr<SqliteDatabase> database) : database_(std::move(database)) {}

  absl::Status InsertModel(const ModelRecord& model) override {
    return Write([&](SqliteDatabase& database) { return InsertRow(database, model); });
  }
  absl::StatusOr<ModelRecord> GetModel(const std::string& id) override {
    return Read([&](SqliteDatabase& database) { return SelectModel(database, id); });
  }
  absl::StatusOr<Page<ModelRecord>> ListModels(const PageRequest& request) override {
    return Read([&](SqliteDatabase& database) { return SelectModels(database, request); });
  }
  absl::Status DeleteModel(const std::string& id) override { return Delete(ResourceKind::kModel, id); }

  absl::Status InsertTask(const TaskRecord& task) override {
    return Write([&](SqliteDatabase& database) { return InsertRow(database, task); });
  }
  absl::StatusOr<TaskRecord> GetTask(const std::string& id) override {
    return Read([&](SqliteDatabase& database) { return SelectTask(database, id); });
  }
  absl::StatusOr<Page<TaskRecord>> ListTasks(const PageRequest& request) override {
    return Read([&](SqliteDatabase& database) { return SelectTasks(database, request); });
  }
  absl::Status DeleteTask(const std::string& id) override { return Delete(ResourceKind::kTask, id); }

  absl::Status InsertCheckpoint(const CheckpointRecord& checkpoint) override {
    return Write([&](SqliteDatabase& database) -> absl::Status {
      MP_RETURN_IF_ERROR(CheckNameNotHeld(database, checkpoint.id));
      return InsertRow(database, checkpoint);
    });
  }
  absl::StatusOr<CheckpointRecord> GetCheckpoint(const std::string& id) override {
    return Read([&](SqliteDatabase& database) { return SelectCheckpoint(database, id); });
  }
  absl::StatusOr<Page<CheckpointRecord>> ListCheckpoints(const PageRequest& request,
                                                         const std::string& model_id) override {
    return Read([&](SqliteDatabase& database) { return SelectCheckpoints(database, request, model_id); });
  }
  absl::Status DeleteCheckpoint(const std::string& id) override { return Delete(ResourceKind::kCheckpoint, id); }

  absl::StatusOr<std::vector<std::string>> ListBlobDigests() override {
    return Read([](SqliteDatabase& database) -> absl::StatusOr<std::vector<std::string>> {
      MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                          database.Prepare("SELECT DISTINCT blob_digest FROM checkpoints ORDER BY blob_digest"));
      std::vector<std::string> digests;
      while (true) {
        MP_ASSIGN_OR_RETURN(const bool row, statement.Step());
        if (!row) return digests;
        digests.push_back(statement.Text(0));
      }
    });
  }

  absl::StatusOr<CreatedJob> CreateJob(const JobRecord& job, const std::vector<StepRecord>& steps) override {
    MP_RETURN_IF_ERROR(CheckNewJob(job, steps));
    std::optional<JobRecord> earlier;
    MP_RETURN_IF_ERROR(Write([&](SqliteDatabase& database) -> absl::Status {
      MP_ASSIGN_OR_RETURN(earlier, SelectJobOfRequest(database, job.request_id));
      return earlier.has_value() ? absl::OkStatus() : InsertRows(database, job, steps);
    }));
    if (!earlier.has_value()) return CreatedJob{job, true};
    MP_RETURN_IF_ERROR(CheckSameRequest(*earlier, job.request_digest));
    return CreatedJob{*std::move(earlier), false};
  }
  absl::StatusOr<std::optional<JobRecord>> FindJobOfRequest(const std::string& request_id,
                                                            const std::string& request_digest) override {
    return Read([&](SqliteDatabase& database) -> absl::StatusOr<std::optional<JobRecord>> {
      MP_ASSIGN_OR_RETURN(std::optional<JobRecord> job, SelectJobOfRequest(database, request_id));
      if (job.has_value()) MP_RETURN_IF_ERROR(CheckSameRequest(*job, request_digest));
      return job;
    });
  }
  absl::StatusOr<JobRecord> GetJob(const std::string& id) override {
    return Read([&](SqliteDatabase& database) { return SelectJob(database, id); });
  }
  absl::StatusOr<Page<JobRecord>> ListJobs(const PageRequest& request) override {
    return Read([&](SqliteDatabase& database) { return SelectJobs(database, request); });
  }
  absl::StatusOr<std::vector<JobRecord>> ListUnfinishedJobs() override {
    return Read([](SqliteDatabase& database) { return SelectUnfinishedJobs(database); });
  }
  absl::StatusOr<std::vector<StepRecord>> ListSteps(const std::string& job_id) override {
    return Read([&](SqliteDatabase& database) { return SelectSteps(database, job_id); });
  }
  absl::Status DeleteJob(const std::string& id) override {
    return Write([&](SqliteDatabase& database) { return DeleteJobRow(database, id); });
  }

  absl::StatusOr<int64_t> CommitTransition(const JobRecord& job, const std::vector<StepRecord>& steps,
                                           const std::vector<CheckpointRecord>& new_checkpoints) override {
    int64_t revision = 0;
    MP_RETURN_IF_ERROR(Write([&](SqliteDatabase& database) -> absl::Status {
      MP_ASSIGN_OR_RETURN(revision, UpdateRow(database, job));
      for (const StepRecord& step : steps) MP_RETURN_IF_ERROR(UpdateRow(database, step));
      for (const CheckpointRecord& checkpoint : new_checkpoints) MP_RETURN_IF_ERROR(InsertRow(database, checkpoint));
      return absl::OkStatus();
    }));
    return revision;
  }

 private:
  template <typename Work>
  std::invoke_result_t<Work, SqliteDatabase&> Read(Work work) {
    base::MutexLock lock(mutex_);
    return work(*database_);
  }

  template <typename Work>
  absl::Status Write(Work work) {
    base::MutexLock lock(mutex_);
    MP_ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(*database_));
    MP_RETURN_IF_ERROR(work(*database_));
    return transaction.Commit();
  }

  absl::Status Delete(ResourceKind kind, const std::string& id) {
    return Write([&](SqliteDatabase& database) { return DeleteRow(database, kind, id); });
  }

  base::Mutex mutex_;
  const std::unique_ptr<SqliteDatabase> database_ MP_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<MetadataStore>> OpenSqliteMetadataStore(const std::string& path) {
  MP_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database, SqliteDatabase::Open(path));
  MP_RETURN_IF_ERROR(base::WithContext(MigrateSqliteSchema(*database), fmt::format("'{}'", path)));
  return std::unique_ptr<MetadataStore>(new SqliteMetadataStore(std::move(database)));
}

}  // namespace modelpatch::store
