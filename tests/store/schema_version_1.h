// The tables as the first version of the program made them, for tests of the migration.
#pragma once

namespace modelpatch::testing {

inline constexpr char kSchemaVersion1[] = R"sql(
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
PRAGMA user_version = 1;
)sql";

}  // namespace modelpatch::testing
