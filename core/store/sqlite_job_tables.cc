#include "core/store/sqlite_job_tables.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/text.h"
#include "core/store/sqlite_database.h"
#include "core/store/sqlite_page.h"
#include "core/store/sqlite_resource_tables.h"

namespace modelpatch::store {
namespace {

constexpr char kJobColumns[] =
    "id, request_id, request_digest, spec, state, result, error_code, error_reason, error_message, create_time, "
    "start_time, "
    "end_time, cancel_requested, revision";
constexpr char kStepColumns[] =
    "job_id, step_index, name, spec, depends_on, state, attempt, maximum_attempts, requested_device, lease_bytes, "
    "device, "
    "result, error_code, error_reason, error_message, start_time, end_time, pid";

absl::Status NoSuchJob(const std::string& id) {
  return base::NotFound("PATCH_JOB_NOT_FOUND",
                        fmt::format("there is no patch job '{}'; list the jobs there are", base::Printable(id)));
}

absl::Status BadJob(const std::string& message) { return base::InvalidArgument("BAD_JOB", message); }

absl::StatusOr<ResourceKind> ParseKind(const std::string& name) {
  for (const ResourceKind kind : {ResourceKind::kModel, ResourceKind::kTask, ResourceKind::kCheckpoint}) {
    if (KindName(kind) == name) return kind;
  }
  return base::DataLoss("METADATA_CORRUPT", fmt::format("'{}' is not a kind of resource", name));
}

absl::StatusOr<std::vector<ResourceUse>> SelectUses(SqliteDatabase& database, const std::string& job_id) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare("SELECT kind, resource_id FROM job_uses WHERE job_id = ?1 ORDER BY rowid"));
  statement.Bind(job_id);
  std::vector<ResourceUse> uses;
  while (true) {
    MP_ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return uses;
    MP_ASSIGN_OR_RETURN(const ResourceKind kind, ParseKind(statement.Text(0)));
    uses.push_back({kind, statement.Text(1)});
  }
}

absl::StatusOr<JobRecord> ReadJob(SqliteDatabase& database, const SqliteStatement& row) {
  JobRecord job;
  job.id = row.Text(0);
  job.request_id = row.Text(1);
  job.request_digest = row.Text(2);
  job.spec = row.Text(3);
  MP_ASSIGN_OR_RETURN(job.state, ParseJobState(row.Text(4)));
  job.result = row.Text(5);
  job.error_code = static_cast<int>(row.Integer(6));
  job.error_reason = row.Text(7);
  job.error_message = row.Text(8);
  job.create_time = row.Time(9);
  job.start_time = row.OptionalTime(10);
  job.end_time = row.OptionalTime(11);
  job.cancel_requested = row.Integer(12) != 0;
  job.revision = row.Integer(13);
  MP_ASSIGN_OR_RETURN(job.uses, SelectUses(database, job.id));
  return job;
}

absl::StatusOr<std::vector<int>> ParseIndices(const std::string& text) {
  const auto list = nlohmann::json::parse(text, nullptr, false);
  std::vector<int> indices;
  bool good = list.is_array();
  for (size_t i = 0; good && i < list.size(); ++i) {
    good = list[i].is_number_integer();
    if (good) indices.push_back(list[i].get<int>());
  }
  if (!good)
    return base::DataLoss("METADATA_CORRUPT", fmt::format("'{}' is not a list of steps", base::Printable(text)));
  return indices;
}

absl::StatusOr<StepRecord> ReadStep(const SqliteStatement& row) {
  StepRecord step;
  step.job_id = row.Text(0);
  step.index = static_cast<int>(row.Integer(1));
  step.name = row.Text(2);
  step.spec = row.Text(3);
  MP_ASSIGN_OR_RETURN(step.depends_on, ParseIndices(row.Text(4)));
  MP_ASSIGN_OR_RETURN(step.state, ParseStepState(row.Text(5)));
  step.attempt = static_cast<int>(row.Integer(6));
  step.maximum_attempts = static_cast<int>(row.Integer(7));
  step.requested_device = row.Text(8);
  step.lease_bytes = row.Integer(9);
  step.device = row.Text(10);
  step.result = row.Text(11);
  step.error_code = static_cast<int>(row.Integer(12));
  step.error_reason = row.Text(13);
  step.error_message = row.Text(14);
  step.start_time = row.OptionalTime(15);
  step.end_time = row.OptionalTime(16);
  step.pid = row.Integer(17);
  return step;
}

absl::Status CheckNewStep(const JobRecord& job, const StepRecord& step, int index) {
  MP_RETURN_IF_ERROR(base::CheckResourceId(step.name));  // it names a directory
  if (step.job_id != job.id || step.index != index) {
    return BadJob(
        fmt::format("step {} of job '{}' is given as step {} of job '{}'", index, job.id, step.index, step.job_id));
  }
  for (const int dependency : step.depends_on) {
    if (dependency < 0 || dependency >= index) {
      return BadJob(fmt::format("step {} depends on step {}; a step depends on earlier steps only", index, dependency));
    }
  }
  const StepState expected = step.depends_on.empty() ? StepState::kQueued : StepState::kWaiting;
  if (step.state != expected) {
    return BadJob(
        fmt::format("step {} is {}; a new step of this kind is {}", index, ToString(step.state), ToString(expected)));
  }
  if (step.maximum_attempts < 1 || step.attempt != 0 || step.lease_bytes < 0) {
    return BadJob(
        fmt::format("step {} has attempt {} of {} and a lease of {} bytes; give attempt 0 of 1 or more, and 0 bytes "
                    "or more",
                    index, step.attempt, step.maximum_attempts, step.lease_bytes));
  }
  return absl::OkStatus();
}

absl::Status InsertStep(SqliteDatabase& database, const StepRecord& step) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare(fmt::format(
                          "INSERT INTO steps ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
                          "?15, ?16, ?17, ?18)",
                          kStepColumns)));
  return statement
      .Bind(step.job_id, step.index, step.name, SqliteBlob{step.spec}, nlohmann::json(step.depends_on).dump(),
            ToString(step.state), step.attempt, step.maximum_attempts, step.requested_device, step.lease_bytes,
            step.device, SqliteBlob{step.result}, step.error_code, step.error_reason, step.error_message,
            step.start_time, step.end_time, step.pid)
      .Run();
}

absl::Status InsertUse(SqliteDatabase& database, const std::string& job_id, const ResourceUse& use) {
  MP_RETURN_IF_ERROR(CheckExists(database, use.kind, use.id));
  MP_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      database.Prepare("INSERT OR IGNORE INTO job_uses (job_id, kind, resource_id) VALUES (?1, ?2, ?3)"));
  return statement.Bind(job_id, KindName(use.kind), use.id).Run();
}

}  // namespace

absl::Status CheckNewJob(const JobRecord& job, const std::vector<StepRecord>& steps) {
  MP_RETURN_IF_ERROR(base::CheckResourceId(job.id));
  if (job.state != JobState::kQueued)
    return BadJob(fmt::format("a new job is {}; it must be QUEUED", ToString(job.state)));
  if (steps.empty()) return BadJob(fmt::format("job '{}' has no steps", job.id));
  for (size_t i = 0; i < steps.size(); ++i) {
    MP_RETURN_IF_ERROR(base::WithField(CheckNewStep(job, steps[i], static_cast<int>(i)), fmt::format("steps[{}]", i)));
  }
  return absl::OkStatus();
}

absl::Status InsertRows(SqliteDatabase& database, const JobRecord& job, const std::vector<StepRecord>& steps) {
  {
    MP_ASSIGN_OR_RETURN(SqliteStatement same, database.Prepare("SELECT 1 FROM jobs WHERE id = ?1"));
    MP_ASSIGN_OR_RETURN(const bool exists, same.Bind(job.id).Step());
    if (exists) {
      return base::AlreadyExists(
          "PATCH_JOB_ALREADY_EXISTS",
          fmt::format("there is a patch job '{}' already; give another name or delete it", job.id));
    }
  }
  MP_RETURN_IF_ERROR(CheckInsertable(database, ResourceKind::kCheckpoint, job.id));
  MP_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      database.Prepare(fmt::format(
          "INSERT INTO jobs ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)", kJobColumns)));
  MP_RETURN_IF_ERROR(statement
                         .Bind(job.id, job.request_id, job.request_digest, SqliteBlob{job.spec}, ToString(job.state),
                               SqliteBlob{job.result}, job.error_code, job.error_reason, job.error_message,
                               job.create_time, job.start_time, job.end_time, job.cancel_requested, job.revision)
                         .Run());
  for (const ResourceUse& use : job.uses) MP_RETURN_IF_ERROR(InsertUse(database, job.id, use));
  for (const StepRecord& step : steps) MP_RETURN_IF_ERROR(InsertStep(database, step));
  return absl::OkStatus();
}

absl::StatusOr<JobRecord> SelectJob(SqliteDatabase& database, const std::string& id) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare(fmt::format("SELECT {} FROM jobs WHERE id = ?1", kJobColumns)));
  MP_ASSIGN_OR_RETURN(const bool found, statement.Bind(id).Step());
  if (!found) return NoSuchJob(id);
  return ReadJob(database, statement);
}

absl::StatusOr<std::optional<JobRecord>> SelectJobOfRequest(SqliteDatabase& database, const std::string& request_id) {
  MP_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      database.Prepare(fmt::format("SELECT {} FROM jobs WHERE request_id = ?1 AND request_id <> ''", kJobColumns)));
  MP_ASSIGN_OR_RETURN(const bool found, statement.Bind(request_id).Step());
  if (!found) return std::optional<JobRecord>();
  MP_ASSIGN_OR_RETURN(JobRecord job, ReadJob(database, statement));
  return std::optional<JobRecord>(std::move(job));
}

absl::StatusOr<Page<JobRecord>> SelectJobs(SqliteDatabase& database, const PageRequest& request) {
  const std::string sql = fmt::format(
      "SELECT {} FROM jobs WHERE ?4 = '' AND (create_time, id) > (?1, ?2) ORDER BY create_time, id LIMIT ?3",
      kJobColumns);
  return SelectPage<JobRecord>(database, request, "jobs", sql, "",
                               [&](const SqliteStatement& row) { return ReadJob(database, row); });
}

absl::StatusOr<std::vector<JobRecord>> SelectUnfinishedJobs(SqliteDatabase& database) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare(fmt::format("SELECT {} FROM jobs WHERE state NOT IN ('SUCCEEDED', 'FAILED', "
                                                   "'CANCELLED') ORDER BY create_time, id",
                                                   kJobColumns)));
  std::vector<JobRecord> jobs;
  while (true) {
    MP_ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return jobs;
    MP_ASSIGN_OR_RETURN(JobRecord job, ReadJob(database, statement));
    jobs.push_back(std::move(job));
  }
}

absl::StatusOr<std::vector<StepRecord>> SelectSteps(SqliteDatabase& database, const std::string& job_id) {
  MP_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      database.Prepare(fmt::format("SELECT {} FROM steps WHERE job_id = ?1 ORDER BY step_index", kStepColumns)));
  statement.Bind(job_id);
  std::vector<StepRecord> steps;
  while (true) {
    MP_ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) break;
    MP_ASSIGN_OR_RETURN(StepRecord step, ReadStep(statement));
    steps.push_back(std::move(step));
  }
  // Every job has steps.
  if (steps.empty()) return NoSuchJob(job_id);
  return steps;
}

absl::StatusOr<int64_t> UpdateRow(SqliteDatabase& database, const JobRecord& job) {
  MP_ASSIGN_OR_RETURN(const JobRecord stored, SelectJob(database, job.id));
  if (stored.revision != job.revision) {
    return base::Error(
        absl::StatusCode::kAborted, "STALE_REVISION",
        fmt::format("job '{}' is at revision {}, not {}; read it again", job.id, stored.revision, job.revision));
  }
  MP_RETURN_IF_ERROR(base::WithContext(CheckTransition(stored.state, job.state), fmt::format("job '{}'", job.id)));
  MP_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      database.Prepare("UPDATE jobs SET state = ?2, result = ?3, error_code = ?4, error_reason = ?5, "
                       "error_message = ?6, start_time = ?7, end_time = ?8, cancel_requested = ?9, revision = "
                       "?10 WHERE id = ?1"));
  MP_RETURN_IF_ERROR(statement
                         .Bind(job.id, ToString(job.state), SqliteBlob{job.result}, job.error_code, job.error_reason,
                               job.error_message, job.start_time, job.end_time, job.cancel_requested, job.revision + 1)
                         .Run());
  return job.revision + 1;
}

absl::Status UpdateRow(SqliteDatabase& database, const StepRecord& step) {
  {
    MP_ASSIGN_OR_RETURN(SqliteStatement stored,
                        database.Prepare("SELECT state FROM steps WHERE job_id = ?1 AND step_index = ?2"));
    MP_ASSIGN_OR_RETURN(const bool found, stored.Bind(step.job_id, step.index).Step());
    if (!found)
      return base::NotFound("STEP_NOT_FOUND", fmt::format("job '{}' has no step {}", step.job_id, step.index));
    MP_ASSIGN_OR_RETURN(const StepState state, ParseStepState(stored.Text(0)));
    MP_RETURN_IF_ERROR(base::WithContext(CheckTransition(state, step.state),
                                         fmt::format("step {} of job '{}'", step.index, step.job_id)));
  }
  MP_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      database.Prepare("UPDATE steps SET state = ?3, attempt = ?4, device = ?5, result = ?6, error_code = ?7, "
                       "error_reason = ?8, error_message = ?9, start_time = ?10, end_time = ?11, pid = ?12 "
                       "WHERE job_id = ?1 AND step_index = ?2"));
  return statement
      .Bind(step.job_id, step.index, ToString(step.state), step.attempt, step.device, SqliteBlob{step.result},
            step.error_code, step.error_reason, step.error_message, step.start_time, step.end_time, step.pid)
      .Run();
}

absl::Status CheckNameNotHeld(SqliteDatabase& database, const std::string& checkpoint_id) {
  MP_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      database.Prepare("SELECT id FROM jobs WHERE (id = ?1 OR substr(?1, 1, length(id) + 1) = id || '-') AND "
                       "state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED')"));
  statement.Bind(checkpoint_id);
  MP_ASSIGN_OR_RETURN(const bool held, statement.Step());
  if (!held) return absl::OkStatus();
  return base::AlreadyExists(
      "NAME_HELD_BY_PATCH_JOB",
      fmt::format("the name '{}' is kept for the checkpoints of the unfinished patch job '{}'; give another name",
                  checkpoint_id, statement.Text(0)));
}

absl::Status DeleteJobRow(SqliteDatabase& database, const std::string& id) {
  MP_ASSIGN_OR_RETURN(const JobRecord job, SelectJob(database, id));
  if (!IsFinished(job.state)) {
    return base::FailedPrecondition(
        "JOB_NOT_FINISHED", fmt::format("job '{}' is {}; cancel it or wait for its end", id, ToString(job.state)));
  }
  MP_ASSIGN_OR_RETURN(SqliteStatement statement, database.Prepare("DELETE FROM jobs WHERE id = ?1"));
  return statement.Bind(id).Run();
}

}  // namespace modelpatch::store
