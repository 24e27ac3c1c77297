#include "core/store/sqlite_schema.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <string>

#include "core/store/sqlite_database.h"

namespace modelpatch::store {
namespace {

// kMigrations[v] leads from version v to v + 1. Never change one that was released: add another.
// Times are microseconds since 1970 in UTC. Indices on (create_time, id) serve the paged lists.
constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE models (
  id TEXT PRIMARY KEY NOT NULL,
  digest TEXT NOT NULL,
  details_json TEXT NOT NULL,
  create_time INTEGER NOT NULL
) STRICT;
CREATE INDEX models_by_time ON models (create_time, id);

CREATE TABLE tasks (
  id TEXT PRIMARY KEY NOT NULL,
  digest TEXT NOT NULL,
  source_json TEXT NOT NULL,
  details_json TEXT NOT NULL,
  create_time INTEGER NOT NULL
) STRICT;
CREATE INDEX tasks_by_time ON tasks (create_time, id);

-- job_id is no foreign key: a checkpoint outlives the job that made it.
CREATE TABLE checkpoints (
  id TEXT PRIMARY KEY NOT NULL,
  model_id TEXT NOT NULL REFERENCES models (id),
  blob_digest TEXT NOT NULL,
  manifest_json TEXT NOT NULL,
  job_id TEXT NOT NULL,
  create_time INTEGER NOT NULL
) STRICT;
CREATE INDEX checkpoints_by_time ON checkpoints (create_time, id);
CREATE INDEX checkpoints_by_model ON checkpoints (model_id, create_time, id);
CREATE INDEX checkpoints_by_blob ON checkpoints (blob_digest);

CREATE TABLE jobs (
  id TEXT PRIMARY KEY NOT NULL,
  request_id TEXT NOT NULL,
  request_digest TEXT NOT NULL,
  spec BLOB NOT NULL,
  state TEXT NOT NULL,
  result BLOB NOT NULL,
  error_code INTEGER NOT NULL,
  error_reason TEXT NOT NULL,
  error_message TEXT NOT NULL,
  create_time INTEGER NOT NULL,
  start_time INTEGER,
  end_time INTEGER,
  cancel_requested INTEGER NOT NULL,
  revision INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_by_time ON jobs (create_time, id);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE UNIQUE INDEX jobs_by_request ON jobs (request_id) WHERE request_id <> '';

CREATE TABLE job_uses (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  PRIMARY KEY (job_id, kind, resource_id)
) STRICT;
CREATE INDEX job_uses_by_resource ON job_uses (kind, resource_id);

CREATE TABLE steps (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  step_index INTEGER NOT NULL,
  name TEXT NOT NULL,
  spec BLOB NOT NULL,
  depends_on TEXT NOT NULL,
  state TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  maximum_attempts INTEGER NOT NULL,
  requested_device TEXT NOT NULL,
  lease_bytes INTEGER NOT NULL,
  device TEXT NOT NULL,
  result BLOB NOT NULL,
  error_code INTEGER NOT NULL,
  error_reason TEXT NOT NULL,
  error_message TEXT NOT NULL,
  start_time INTEGER,
  end_time INTEGER,
  pid INTEGER NOT NULL,
  PRIMARY KEY (job_id, step_index)
) STRICT;
)sql",
    // Patches.
    R"sql(
CREATE TABLE patches (
  id TEXT PRIMARY KEY NOT NULL,
  latest_version INTEGER NOT NULL,
  create_time INTEGER NOT NULL,
  update_time INTEGER NOT NULL,
  revision INTEGER NOT NULL
) STRICT;
CREATE INDEX patches_by_time ON patches (create_time, id);

CREATE TABLE patch_versions (
  patch_id TEXT NOT NULL REFERENCES patches (id) ON DELETE CASCADE,
  version INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  request_digest TEXT NOT NULL,
  model_id TEXT NOT NULL REFERENCES models (id),
  allow_extrapolation INTEGER NOT NULL,
  details_json TEXT NOT NULL,
  create_time INTEGER NOT NULL,
  PRIMARY KEY (patch_id, version)
) STRICT;
CREATE INDEX patch_versions_by_model ON patch_versions (model_id);
CREATE UNIQUE INDEX patch_versions_by_request ON patch_versions (request_id) WHERE request_id <> '';

CREATE TABLE patch_terms (
  patch_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  term_index INTEGER NOT NULL,
  checkpoint_id TEXT NOT NULL REFERENCES checkpoints (id),
  blob_digest TEXT NOT NULL,
  coefficient REAL NOT NULL,
  PRIMARY KEY (patch_id, version, term_index),
  FOREIGN KEY (patch_id, version) REFERENCES patch_versions (patch_id, version) ON DELETE CASCADE
) STRICT;
CREATE INDEX patch_terms_by_checkpoint ON patch_terms (checkpoint_id);

-- previous is the number of the promotion that was in force before: where a rollback leads. 0: there was none.
CREATE TABLE patch_promotions (
  patch_id TEXT NOT NULL REFERENCES patches (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  previous INTEGER NOT NULL,
  alias TEXT NOT NULL,
  version INTEGER NOT NULL,
  is_rollback INTEGER NOT NULL,
  overridden TEXT NOT NULL,
  reason TEXT NOT NULL,
  time INTEGER NOT NULL,
  PRIMARY KEY (patch_id, number)
) STRICT;

-- promotion is the number of the one in force.
CREATE TABLE patch_aliases (
  patch_id TEXT NOT NULL REFERENCES patches (id) ON DELETE CASCADE,
  alias TEXT NOT NULL,
  promotion INTEGER NOT NULL,
  PRIMARY KEY (patch_id, alias)
) STRICT;
)sql",
};

}  // namespace

const int kSqliteSchemaVersion = static_cast<int>(std::size(kMigrations));

absl::Status MigrateSqliteSchema(SqliteDatabase& database) {
  MP_ASSIGN_OR_RETURN(const int64_t stored, database.SelectInteger("PRAGMA user_version"));
  if (stored > kSqliteSchemaVersion) {
    return base::FailedPrecondition(
        "SCHEMA_TOO_NEW",
        fmt::format("the metadata database has schema version {}, this program knows versions up to {}; "
                    "run the newer program that wrote it, or restore an older backup",
                    stored, kSqliteSchemaVersion));
  }
  MP_ASSIGN_OR_RETURN(const int64_t tables, database.SelectInteger("SELECT count(*) FROM sqlite_schema"));
  if (stored < 0 || (stored == 0 && tables != 0)) {
    return base::FailedPrecondition(
        "NOT_A_METADATA_DATABASE",
        "the file is a SQLite database, but not one of this program; give another directory");
  }
  for (int version = static_cast<int>(stored); version < kSqliteSchemaVersion; ++version) {
    MP_ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(database));
    MP_RETURN_IF_ERROR(database.Execute(kMigrations[version]));
    MP_RETURN_IF_ERROR(database.Execute(fmt::format("PRAGMA user_version = {}", version + 1)));
    MP_RETURN_IF_ERROR(transaction.Commit());
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::store
