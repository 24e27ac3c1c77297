// The tables of the metadata database and their versions.
#pragma once

#include "core/base/status.h"

namespace modelpatch::store {

class SqliteDatabase;

// The version this program writes (PRAGMA user_version).
extern const int kSqliteSchemaVersion;

// Brings a database to kSqliteSchemaVersion, one version per transaction. FAILED_PRECONDITION (SCHEMA_TOO_NEW) if a
// newer program wrote it, (NOT_A_METADATA_DATABASE) if it is another program's.
absl::Status MigrateSqliteSchema(SqliteDatabase& database);

}  // namespace modelpatch::store
