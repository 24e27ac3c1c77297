// Rows of jobs and steps. Each function runs inside the caller's transaction; errors as metadata_store.h says.
// Thread safety: that of the database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/store/metadata_store.h"
#include "core/store/records.h"

namespace modelpatch::store {

class SqliteDatabase;

// INVALID_ARGUMENT (BAD_JOB, BAD_RESOURCE_ID) unless the job can be stored. Looks at nothing but its arguments.
absl::Status CheckNewJob(const JobRecord& job, const std::vector<StepRecord>& steps);

absl::Status InsertRows(SqliteDatabase& database, const JobRecord& job, const std::vector<StepRecord>& steps);

absl::StatusOr<JobRecord> SelectJob(SqliteDatabase& database, const std::string& id);
// The job of a (not empty) request id, if there is one.
absl::StatusOr<std::optional<JobRecord>> SelectJobOfRequest(SqliteDatabase& database, const std::string& request_id);
absl::StatusOr<Page<JobRecord>> SelectJobs(SqliteDatabase& database, const PageRequest& request);
absl::StatusOr<std::vector<JobRecord>> SelectUnfinishedJobs(SqliteDatabase& database);
absl::StatusOr<std::vector<StepRecord>> SelectSteps(SqliteDatabase& database, const std::string& job_id);

// The job's new revision.
absl::StatusOr<int64_t> UpdateRow(SqliteDatabase& database, const JobRecord& job);
absl::Status UpdateRow(SqliteDatabase& database, const StepRecord& step);

// ALREADY_EXISTS (NAME_HELD_BY_PATCH_JOB) if the name is one of those of an unfinished job's checkpoints: the job's id,
// alone or before a '-'.
absl::Status CheckNameNotHeld(SqliteDatabase& database, const std::string& checkpoint_id);

absl::Status DeleteJobRow(SqliteDatabase& database, const std::string& id);

}  // namespace modelpatch::store
