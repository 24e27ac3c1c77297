#include "core/store/sqlite_promotion_tables.h"

#include <fmt/format.h>

#include "core/store/sqlite_database.h"

namespace modelpatch::store {
namespace {

// A row of patch_promotions; number 0 is none.
struct StoredPromotion {
  int64_t number = 0;
  int64_t previous = 0;
  int64_t version = 0;
};

absl::StatusOr<StoredPromotion> ReadOne(SqliteStatement& statement) {
  MP_ASSIGN_OR_RETURN(const bool found, statement.Step());
  if (!found) return StoredPromotion();
  return StoredPromotion{statement.Integer(0), statement.Integer(1), statement.Integer(2)};
}

absl::StatusOr<StoredPromotion> InForce(SqliteDatabase& database, const std::string& patch_id,
                                        const std::string& alias) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare("SELECT number, previous, version FROM patch_promotions WHERE patch_id = ?1 AND "
                                       "number = (SELECT promotion FROM patch_aliases WHERE patch_id = ?1 AND "
                                       "alias = ?2)"));
  return ReadOne(statement.Bind(patch_id, alias));
}

absl::StatusOr<StoredPromotion> Promotion(SqliteDatabase& database, const std::string& patch_id, int64_t number) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare("SELECT number, previous, version FROM patch_promotions WHERE patch_id = ?1 AND "
                                       "number = ?2"));
  return ReadOne(statement.Bind(patch_id, number));
}

// Writes the promotion, puts it in force, and counts it.
absl::Status Append(SqliteDatabase& database, const std::string& patch_id, const PatchPromotionRecord& promotion,
                    int64_t previous) {
  {
    MP_ASSIGN_OR_RETURN(SqliteStatement insert,
                        database.Prepare("INSERT INTO patch_promotions (patch_id, number, previous, alias, version, "
                                         "is_rollback, overridden, reason, time) SELECT ?1, coalesce(max(number), 0) + "
                                         "1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM patch_promotions WHERE patch_id = ?1"));
    MP_RETURN_IF_ERROR(insert
                           .Bind(patch_id, previous, promotion.alias, promotion.version, promotion.is_rollback,
                                 promotion.overridden, promotion.reason, promotion.time)
                           .Run());
  }
  {
    MP_ASSIGN_OR_RETURN(SqliteStatement alias,
                        database.Prepare("INSERT OR REPLACE INTO patch_aliases (patch_id, alias, promotion) SELECT ?1, "
                                         "?2, max(number) FROM patch_promotions WHERE patch_id = ?1"));
    MP_RETURN_IF_ERROR(alias.Bind(patch_id, promotion.alias).Run());
  }
  MP_ASSIGN_OR_RETURN(SqliteStatement count,
                      database.Prepare("UPDATE patches SET update_time = ?2, revision = revision + 1 WHERE id = ?1"));
  return count.Bind(patch_id, promotion.time).Run();
}

}  // namespace

absl::Status InsertPromotion(SqliteDatabase& database, const PatchRecord& patch,
                             const PatchPromotionRecord& promotion) {
  MP_ASSIGN_OR_RETURN(const StoredPromotion present, InForce(database, patch.id, promotion.alias));
  if (present.number != 0 && present.version == promotion.version) return absl::OkStatus();
  return Append(database, patch.id, promotion, present.number);
}

absl::Status InsertRollback(SqliteDatabase& database, const PatchRecord& patch, const PatchPromotionRecord& rollback) {
  MP_ASSIGN_OR_RETURN(const StoredPromotion present, InForce(database, patch.id, rollback.alias));
  if (present.previous == 0) {
    return base::FailedPrecondition(
        "NO_PREVIOUS_VERSION",
        present.number == 0 ? fmt::format("nothing was ever promoted as '{}@{}'; there is nothing to go back to",
                                          patch.id, rollback.alias)
                            : fmt::format("'{}@{}' is version {}, and had no version before it; promote another one",
                                          patch.id, rollback.alias, present.version));
  }
  MP_ASSIGN_OR_RETURN(const StoredPromotion target, Promotion(database, patch.id, present.previous));
  if (target.number == 0) {
    return base::DataLoss("METADATA_CORRUPT",
                          fmt::format("promotion {} of patch '{}' is missing", present.previous, patch.id));
  }
  PatchPromotionRecord row = rollback;
  row.version = target.version;
  row.is_rollback = true;
  return Append(database, patch.id, row, target.previous);
}

absl::StatusOr<std::vector<PatchAliasRecord>> SelectAliases(SqliteDatabase& database, const std::string& patch_id) {
  MP_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      database.Prepare("SELECT a.alias, p.version FROM patch_aliases AS a JOIN patch_promotions AS p ON "
                       "p.patch_id = a.patch_id AND p.number = a.promotion WHERE a.patch_id = ?1 "
                       "ORDER BY a.alias"));
  statement.Bind(patch_id);
  std::vector<PatchAliasRecord> aliases;
  while (true) {
    MP_ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return aliases;
    aliases.push_back({statement.Text(0), statement.Integer(1)});
  }
}

absl::StatusOr<std::vector<PatchPromotionRecord>> SelectPromotions(SqliteDatabase& database,
                                                                   const std::string& patch_id, int64_t limit) {
  MP_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      database.Prepare("SELECT alias, version, is_rollback, overridden, reason, time FROM patch_promotions WHERE "
                       "patch_id = ?1 ORDER BY number DESC LIMIT ?2"));
  statement.Bind(patch_id, limit);
  std::vector<PatchPromotionRecord> promotions;
  while (true) {
    MP_ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return promotions;
    promotions.push_back({statement.Text(0), statement.Integer(1), statement.Integer(2) != 0, statement.Text(3),
                          statement.Text(4), statement.Time(5)});
  }
}

}  // namespace modelpatch::store
