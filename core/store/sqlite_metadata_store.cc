#include "core/store/sqlite_metadata_store.h"

#include <fmt/format.h>

#include <optional>
#include <type_traits>
#include <utility>

#include "core/base/mutex.h"
#include "core/base/text.h"
#include "core/store/sqlite_database.h"
#include "core/store/sqlite_job_tables.h"
#include "core/store/sqlite_patch_tables.h"
#include "core/store/sqlite_promotion_tables.h"
#include "core/store/sqlite_resource_tables.h"
#include "core/store/sqlite_schema.h"

namespace modelpatch::store {
namespace {

// `made` is what the earlier request made.
template <typename Record>
absl::Status CheckSameRequest(const Record& earlier, const std::string& request_digest, const std::string& made) {
  if (earlier.request_digest == request_digest) return absl::OkStatus();
  return base::WithField(
      base::AlreadyExists("REQUEST_ID_REUSED",
                          fmt::format("request_id '{}' was used for {} with other content; give another request_id",
                                      base::Printable(earlier.request_id), made)),
      "request_id");
}

absl::Status CheckSameRequest(const JobRecord& earlier, const std::string& request_digest) {
  return CheckSameRequest(earlier, request_digest, fmt::format("job '{}'", earlier.id));
}

absl::Status CheckSameRequest(const PatchVersionRecord& earlier, const std::string& request_digest) {
  return CheckSameRequest(earlier, request_digest, fmt::format("patch '{}@{}'", earlier.patch_id, earlier.version));
}

// The patch as it is now, if it is still the one that was seen.
absl::StatusOr<PatchRecord> SelectSeen(SqliteDatabase& database, const PatchRecord& seen, bool unchanged) {
  MP_ASSIGN_OR_RETURN(PatchRecord stored, SelectPatch(database, seen.id));
  if (stored.create_time == seen.create_time && (!unchanged || stored.revision == seen.revision)) return stored;
  return base::Error(absl::StatusCode::kAborted, "STALE_REVISION",
                     fmt::format("patch '{}' has changed since it was read; read it again", seen.id));
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
                          database.Prepare("SELECT blob_digest FROM checkpoints UNION SELECT blob_digest FROM "
                                           "patch_terms ORDER BY blob_digest"));
      std::vector<std::string> digests;
      while (true) {
        MP_ASSIGN_OR_RETURN(const bool row, statement.Step());
        if (!row) return digests;
        digests.push_back(statement.Text(0));
      }
    });
  }

  absl::StatusOr<CreatedPatchVersion> CreatePatchVersion(const PatchVersionRecord& version) override {
    CreatedPatchVersion made;
    MP_RETURN_IF_ERROR(Write([&](SqliteDatabase& database) -> absl::Status {
      MP_ASSIGN_OR_RETURN(const std::optional<PatchVersionRecord> earlier,
                          SelectPatchVersionOfRequest(database, version.request_id));
      made.created = !earlier.has_value();
      made.version = earlier.value_or(version);
      if (!made.created) return CheckSameRequest(*earlier, version.request_digest);
      MP_ASSIGN_OR_RETURN(made.version.version, InsertRow(database, version));
      return absl::OkStatus();
    }));
    return made;
  }
  absl::StatusOr<std::optional<PatchVersionRecord>> FindPatchVersionOfRequest(
      const std::string& request_id, const std::string& request_digest) override {
    return Read([&](SqliteDatabase& database) -> absl::StatusOr<std::optional<PatchVersionRecord>> {
      MP_ASSIGN_OR_RETURN(std::optional<PatchVersionRecord> version, SelectPatchVersionOfRequest(database, request_id));
      if (version.has_value()) MP_RETURN_IF_ERROR(CheckSameRequest(*version, request_digest));
      return version;
    });
  }
  absl::StatusOr<PatchRecord> GetPatch(const std::string& id) override {
    return Read([&](SqliteDatabase& database) { return SelectPatch(database, id); });
  }
  absl::StatusOr<Page<PatchRecord>> ListPatches(const PageRequest& request) override {
    return Read([&](SqliteDatabase& database) { return SelectPatches(database, request); });
  }
  absl::StatusOr<PatchVersionRecord> GetPatchVersion(const std::string& id, const PatchSelector& selector) override {
    return Read([&](SqliteDatabase& database) { return SelectPatchVersion(database, id, selector); });
  }
  absl::StatusOr<std::vector<PatchVersionRecord>> ListPatchVersions(const std::string& id, int64_t limit) override {
    return Read([&](SqliteDatabase& database) { return SelectPatchVersions(database, id, limit); });
  }
  absl::StatusOr<std::vector<PatchPromotionRecord>> ListPatchPromotions(const std::string& id, int64_t limit) override {
    return Read([&](SqliteDatabase& database) -> absl::StatusOr<std::vector<PatchPromotionRecord>> {
      MP_RETURN_IF_ERROR(SelectPatch(database, id).status());
      return SelectPromotions(database, id, limit);
    });
  }
  absl::Status DeletePatch(const PatchRecord& seen, bool unchanged) override {
    return Write([&](SqliteDatabase& database) -> absl::Status {
      MP_RETURN_IF_ERROR(SelectSeen(database, seen, unchanged).status());
      return DeletePatchRow(database, seen.id);
    });
  }
  absl::StatusOr<PatchRecord> PromotePatch(const PatchRecord& seen, bool unchanged,
                                           const PatchPromotionRecord& promotion) override {
    PatchRecord changed;
    MP_RETURN_IF_ERROR(Write([&](SqliteDatabase& database) -> absl::Status {
      MP_ASSIGN_OR_RETURN(const PatchRecord stored, SelectSeen(database, seen, unchanged));
      MP_RETURN_IF_ERROR(SelectPatchVersion(database, stored.id, {promotion.version, ""}).status());
      MP_RETURN_IF_ERROR(InsertPromotion(database, stored, promotion));
      MP_ASSIGN_OR_RETURN(changed, SelectPatch(database, stored.id));
      return absl::OkStatus();
    }));
    return changed;
  }
  absl::StatusOr<PatchRecord> RollBackPatch(const PatchRecord& seen, bool unchanged,
                                            const PatchPromotionRecord& rollback) override {
    PatchRecord changed;
    MP_RETURN_IF_ERROR(Write([&](SqliteDatabase& database) -> absl::Status {
      MP_ASSIGN_OR_RETURN(const PatchRecord stored, SelectSeen(database, seen, unchanged));
      MP_RETURN_IF_ERROR(InsertRollback(database, stored, rollback));
      MP_ASSIGN_OR_RETURN(changed, SelectPatch(database, stored.id));
      return absl::OkStatus();
    }));
    return changed;
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
