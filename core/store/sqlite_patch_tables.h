// Rows of patches, their versions and promotions. Each function runs inside the caller's transaction; errors as
// metadata_store.h says. Thread safety: that of the database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/store/metadata_store.h"
#include "core/store/patch_records.h"

namespace modelpatch::store {

class SqliteDatabase;

// The number of the new version.
absl::StatusOr<int64_t> InsertRow(SqliteDatabase& database, const PatchVersionRecord& version);

absl::StatusOr<PatchRecord> SelectPatch(SqliteDatabase& database, const std::string& id);
absl::StatusOr<Page<PatchRecord>> SelectPatches(SqliteDatabase& database, const PageRequest& request);
absl::StatusOr<PatchVersionRecord> SelectPatchVersion(SqliteDatabase& database, const std::string& id,
                                                      const PatchSelector& selector);
// The newest first, at most `limit`.
absl::StatusOr<std::vector<PatchVersionRecord>> SelectPatchVersions(SqliteDatabase& database, const std::string& id,
                                                                    int64_t limit);
// The version of a (not empty) request id, if there is one.
absl::StatusOr<std::optional<PatchVersionRecord>> SelectPatchVersionOfRequest(SqliteDatabase& database,
                                                                              const std::string& request_id);

absl::Status DeletePatchRow(SqliteDatabase& database, const std::string& id);

}  // namespace modelpatch::store
