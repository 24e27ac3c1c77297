// The metadata store in a SQLite file. Only the server opens it.
#pragma once

#include <memory>
#include <string>

#include "core/base/status.h"
#include "core/store/metadata_store.h"

namespace modelpatch::store {

// Opens or creates the database at `path` and brings its schema up to date. One connection, used by one thread at a
// time. DATA_LOSS (METADATA_CORRUPT), FAILED_PRECONDITION (SCHEMA_TOO_NEW, NOT_A_METADATA_DATABASE).
absl::StatusOr<std::unique_ptr<MetadataStore>> OpenSqliteMetadataStore(const std::string& path);

}  // namespace modelpatch::store
