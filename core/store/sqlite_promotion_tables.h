// Rows of promotions and rollbacks, and the aliases that they move. Each function runs inside the caller's transaction;
// errors as metadata_store.h says. Thread safety: that of the database.
//
// A promotion keeps the number of the one that was in force before it, so that rollbacks walk back along the promotions
// and not along the rollbacks between them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/store/patch_records.h"

namespace modelpatch::store {

class SqliteDatabase;

// A version that the alias stands for already stays there, and no row is written.
absl::Status InsertPromotion(SqliteDatabase& database, const PatchRecord& patch, const PatchPromotionRecord& promotion);

// `rollback.version` is not read.
absl::Status InsertRollback(SqliteDatabase& database, const PatchRecord& patch, const PatchPromotionRecord& rollback);

// In the order of the aliases.
absl::StatusOr<std::vector<PatchAliasRecord>> SelectAliases(SqliteDatabase& database, const std::string& patch_id);

// The newest first, at most `limit`.
absl::StatusOr<std::vector<PatchPromotionRecord>> SelectPromotions(SqliteDatabase& database,
                                                                   const std::string& patch_id, int64_t limit);

}  // namespace modelpatch::store
