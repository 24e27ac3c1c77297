#include "core/store/sqlite_resource_tables.h"

#include <fmt/format.h>

#include <string_view>

#include "core/base/text.h"
#include "core/store/sqlite_database.h"
#include "core/store/sqlite_page.h"

namespace modelpatch::store {
namespace {

constexpr char kModelColumns[] = "id, digest, details_json, create_time";
constexpr char kTaskColumns[] = "id, digest, source_json, details_json, create_time";
constexpr char kCheckpointColumns[] = "id, model_id, blob_digest, manifest_json, job_id, create_time";
constexpr char kPageClauses[] = "(create_time, id) > (?1, ?2) ORDER BY create_time, id LIMIT ?3";

struct KindNames {
  std::string_view name;
  std::string_view table;
  std::string_view reason;  // before _NOT_FOUND and _ALREADY_EXISTS
};

KindNames NamesOf(ResourceKind kind) {
  switch (kind) {
    case ResourceKind::kModel:
      return {"model", "models", "MODEL"};
    case ResourceKind::kTask:
      return {"task", "tasks", "TASK"};
    case ResourceKind::kCheckpoint:
      break;
  }
  return {"checkpoint", "checkpoints", "CHECKPOINT"};
}

absl::StatusOr<ModelRecord> ReadModel(const SqliteStatement& row) {
  return ModelRecord{row.Text(0), row.Text(1), row.Text(2), row.Time(3)};
}

absl::StatusOr<TaskRecord> ReadTask(const SqliteStatement& row) {
  return TaskRecord{row.Text(0), row.Text(1), row.Text(2), row.Text(3), row.Time(4)};
}

absl::StatusOr<CheckpointRecord> ReadCheckpoint(const SqliteStatement& row) {
  return CheckpointRecord{row.Text(0), row.Text(1), row.Text(2), row.Text(3), row.Text(4), row.Time(5)};
}

absl::Status NoSuch(ResourceKind kind, const std::string& id) {
  const KindNames names = NamesOf(kind);
  return base::NotFound(
      fmt::format("{}_NOT_FOUND", names.reason),
      fmt::format("there is no {} '{}'; list the {} there are", names.name, base::Printable(id), names.table));
}

absl::StatusOr<bool> Exists(SqliteDatabase& database, ResourceKind kind, const std::string& id) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare(fmt::format("SELECT 1 FROM {} WHERE id = ?1", NamesOf(kind).table)));
  return statement.Bind(id).Step();
}

template <typename Read>
auto SelectOne(SqliteDatabase& database, ResourceKind kind, const char* columns, const std::string& id, Read read)
    -> decltype(read(std::declval<const SqliteStatement&>())) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare(fmt::format("SELECT {} FROM {} WHERE id = ?1", columns, NamesOf(kind).table)));
  MP_ASSIGN_OR_RETURN(const bool found, statement.Bind(id).Step());
  if (!found) return NoSuch(kind, id);
  return read(statement);
}

// The first text that `sql` selects for `id`, or "".
absl::StatusOr<std::string> SelectText(SqliteDatabase& database, const std::string& sql, const std::string& kind,
                                       const std::string& id) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement, database.Prepare(sql));
  MP_ASSIGN_OR_RETURN(const bool found, statement.Bind(kind, id).Step());
  return found ? statement.Text(0) : std::string();
}

absl::Status CheckUnused(SqliteDatabase& database, ResourceKind kind, const std::string& id) {
  const std::string name = KindName(kind);
  MP_ASSIGN_OR_RETURN(const std::string job,
                      SelectText(database,
                                 "SELECT id FROM jobs WHERE state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED') AND "
                                 "(id IN (SELECT job_id FROM job_uses WHERE kind = ?1 AND resource_id = ?2) OR "
                                 "?1 = 'checkpoint' AND id = (SELECT job_id FROM checkpoints WHERE id = ?2)) LIMIT 1",
                                 name, id));
  if (!job.empty()) {
    return base::FailedPrecondition(
        "RESOURCE_IN_USE", fmt::format("{} '{}' is used by the unfinished job '{}'; wait for it or cancel it", name,
                                       base::Printable(id), job));
  }
  MP_ASSIGN_OR_RETURN(const std::string patch,
                      SelectText(database,
                                 "SELECT patch_id || '@' || version FROM patch_terms WHERE ?1 = 'checkpoint' AND "
                                 "checkpoint_id = ?2 UNION ALL SELECT patch_id || '@' || version FROM patch_versions "
                                 "WHERE ?1 = 'model' AND model_id = ?2 LIMIT 1",
                                 name, id));
  if (!patch.empty()) {
    return base::FailedPrecondition(
        "RESOURCE_IN_USE", fmt::format("{} '{}' is named by the patch version '{}'; delete the patch first", name,
                                       base::Printable(id), patch));
  }
  if (kind != ResourceKind::kModel) return absl::OkStatus();
  MP_ASSIGN_OR_RETURN(
      const std::string checkpoint,
      SelectText(database, "SELECT id FROM checkpoints WHERE ?1 <> '' AND model_id = ?2 LIMIT 1", name, id));
  if (checkpoint.empty()) return absl::OkStatus();
  return base::FailedPrecondition(
      "RESOURCE_IN_USE",
      fmt::format("model '{}' has checkpoints, such as '{}'; delete them first", base::Printable(id), checkpoint));
}

}  // namespace

std::string KindName(ResourceKind kind) { return std::string(NamesOf(kind).name); }

absl::Status InsertRow(SqliteDatabase& database, const ModelRecord& model) {
  MP_RETURN_IF_ERROR(CheckInsertable(database, ResourceKind::kModel, model.id));
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare(fmt::format("INSERT INTO models ({}) VALUES (?1, ?2, ?3, ?4)", kModelColumns)));
  return statement.Bind(model.id, model.digest, model.details_json, model.create_time).Run();
}

absl::Status InsertRow(SqliteDatabase& database, const TaskRecord& task) {
  MP_RETURN_IF_ERROR(CheckInsertable(database, ResourceKind::kTask, task.id));
  MP_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      database.Prepare(fmt::format("INSERT INTO tasks ({}) VALUES (?1, ?2, ?3, ?4, ?5)", kTaskColumns)));
  return statement.Bind(task.id, task.digest, task.source_json, task.details_json, task.create_time).Run();
}

absl::Status InsertRow(SqliteDatabase& database, const CheckpointRecord& checkpoint) {
  MP_RETURN_IF_ERROR(CheckInsertable(database, ResourceKind::kCheckpoint, checkpoint.id));
  MP_RETURN_IF_ERROR(CheckExists(database, ResourceKind::kModel, checkpoint.model_id));
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare(fmt::format("INSERT INTO checkpoints ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                                                   kCheckpointColumns)));
  return statement
      .Bind(checkpoint.id, checkpoint.model_id, checkpoint.blob_digest, checkpoint.manifest_json, checkpoint.job_id,
            checkpoint.create_time)
      .Run();
}

absl::StatusOr<ModelRecord> SelectModel(SqliteDatabase& database, const std::string& id) {
  return SelectOne(database, ResourceKind::kModel, kModelColumns, id, ReadModel);
}

absl::StatusOr<TaskRecord> SelectTask(SqliteDatabase& database, const std::string& id) {
  return SelectOne(database, ResourceKind::kTask, kTaskColumns, id, ReadTask);
}

absl::StatusOr<CheckpointRecord> SelectCheckpoint(SqliteDatabase& database, const std::string& id) {
  return SelectOne(database, ResourceKind::kCheckpoint, kCheckpointColumns, id, ReadCheckpoint);
}

absl::StatusOr<Page<ModelRecord>> SelectModels(SqliteDatabase& database, const PageRequest& request) {
  const std::string sql = fmt::format("SELECT {} FROM models WHERE ?4 = '' AND {}", kModelColumns, kPageClauses);
  return SelectPage<ModelRecord>(database, request, "models", sql, "", ReadModel);
}

absl::StatusOr<Page<TaskRecord>> SelectTasks(SqliteDatabase& database, const PageRequest& request) {
  const std::string sql = fmt::format("SELECT {} FROM tasks WHERE ?4 = '' AND {}", kTaskColumns, kPageClauses);
  return SelectPage<TaskRecord>(database, request, "tasks", sql, "", ReadTask);
}

absl::StatusOr<Page<CheckpointRecord>> SelectCheckpoints(SqliteDatabase& database, const PageRequest& request,
                                                         const std::string& model_id) {
  // Two statements, so that each can use its index.
  const char* filter = model_id.empty() ? "?4 = ''" : "model_id = ?4";
  const std::string sql =
      fmt::format("SELECT {} FROM checkpoints WHERE {} AND {}", kCheckpointColumns, filter, kPageClauses);
  return SelectPage<CheckpointRecord>(database, request, "checkpoints", sql, model_id, ReadCheckpoint);
}

absl::Status CheckExists(SqliteDatabase& database, ResourceKind kind, const std::string& id) {
  MP_ASSIGN_OR_RETURN(const bool exists, Exists(database, kind, id));
  return exists ? absl::OkStatus() : NoSuch(kind, id);
}

absl::Status CheckInsertable(SqliteDatabase& database, ResourceKind kind, const std::string& id) {
  MP_RETURN_IF_ERROR(base::CheckResourceId(id));
  MP_ASSIGN_OR_RETURN(const bool exists, Exists(database, kind, id));
  if (!exists) return absl::OkStatus();
  const KindNames names = NamesOf(kind);
  return base::AlreadyExists(fmt::format("{}_ALREADY_EXISTS", names.reason),
                             fmt::format("there is a {} '{}' already; give another name or delete it", names.name, id));
}

absl::Status DeleteRow(SqliteDatabase& database, ResourceKind kind, const std::string& id) {
  MP_RETURN_IF_ERROR(CheckExists(database, kind, id));
  MP_RETURN_IF_ERROR(CheckUnused(database, kind, id));
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare(fmt::format("DELETE FROM {} WHERE id = ?1", NamesOf(kind).table)));
  return statement.Bind(id).Run();
}

}  // namespace modelpatch::store
