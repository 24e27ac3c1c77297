#include "core/store/sqlite_patch_tables.h"

#include <fmt/format.h>

#include <utility>

#include "core/base/text.h"
#include "core/store/sqlite_database.h"
#include "core/store/sqlite_page.h"
#include "core/store/sqlite_promotion_tables.h"
#include "core/store/sqlite_resource_tables.h"

namespace modelpatch::store {
namespace {

constexpr char kPatchColumns[] = "id, latest_version, create_time, update_time, revision";
constexpr char kVersionColumns[] =
    "patch_id, version, request_id, request_digest, model_id, allow_extrapolation, details_json, create_time";
// Of a patch, in an error message.
constexpr size_t kAliasesToName = 20;

absl::StatusOr<PatchRecord> ReadPatch(SqliteDatabase& database, const SqliteStatement& row) {
  PatchRecord patch;
  patch.id = row.Text(0);
  patch.latest_version = row.Integer(1);
  patch.create_time = row.Time(2);
  patch.update_time = row.Time(3);
  patch.revision = row.Integer(4);
  MP_ASSIGN_OR_RETURN(patch.aliases, SelectAliases(database, patch.id));
  return patch;
}

absl::StatusOr<std::vector<PatchTermRecord>> SelectTerms(SqliteDatabase& database, const std::string& id,
                                                         int64_t version) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare("SELECT checkpoint_id, blob_digest, coefficient FROM patch_terms WHERE "
                                       "patch_id = ?1 AND version = ?2 ORDER BY term_index"));
  statement.Bind(id, version);
  std::vector<PatchTermRecord> terms;
  while (true) {
    MP_ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return terms;
    terms.push_back({statement.Text(0), statement.Text(1), statement.Real(2)});
  }
}

absl::StatusOr<PatchVersionRecord> ReadVersion(SqliteDatabase& database, const SqliteStatement& row) {
  PatchVersionRecord version;
  version.patch_id = row.Text(0);
  version.version = row.Integer(1);
  version.request_id = row.Text(2);
  version.request_digest = row.Text(3);
  version.model_id = row.Text(4);
  version.allow_extrapolation = row.Integer(5) != 0;
  version.details_json = row.Text(6);
  version.create_time = row.Time(7);
  MP_ASSIGN_OR_RETURN(version.terms, SelectTerms(database, version.patch_id, version.version));
  return version;
}

absl::Status NoSuchVersion(const PatchRecord& patch, int64_t version) {
  return base::NotFound(
      "PATCH_VERSION_NOT_FOUND",
      fmt::format("patch '{}' has no version {}; it has {}", patch.id, version,
                  patch.latest_version == 1 ? std::string("1") : fmt::format("1 to {}", patch.latest_version)));
}

absl::Status NoSuchAlias(const PatchRecord& patch, const std::string& alias) {
  std::string known = kLatestAlias;
  for (size_t i = 0; i < patch.aliases.size(); ++i) {
    if (i == kAliasesToName) {
      known += ", …";
      break;
    }
    known += ", " + patch.aliases[i].alias;
  }
  return base::NotFound("PATCH_ALIAS_NOT_FOUND", fmt::format("patch '{}' has no alias '{}'; it has {}", patch.id,
                                                             base::Printable(alias), known));
}

absl::StatusOr<int64_t> VersionOf(const PatchRecord& patch, const PatchSelector& selector) {
  if (selector.version.has_value()) {
    const bool exists = *selector.version >= 1 && *selector.version <= patch.latest_version;
    return exists ? absl::StatusOr<int64_t>(*selector.version) : NoSuchVersion(patch, *selector.version);
  }
  if (selector.alias.empty()) return patch.served_version();
  if (selector.alias == kLatestAlias) return patch.latest_version;
  for (const PatchAliasRecord& one : patch.aliases) {
    if (one.alias == selector.alias) return one.version;
  }
  return NoSuchAlias(patch, selector.alias);
}

absl::Status InsertTerm(SqliteDatabase& database, const PatchVersionRecord& version, int64_t number, size_t index) {
  const PatchTermRecord& term = version.terms[index];
  MP_ASSIGN_OR_RETURN(const CheckpointRecord checkpoint, SelectCheckpoint(database, term.checkpoint_id));
  if (checkpoint.blob_digest != term.blob_digest) {
    return base::FailedPrecondition(
        "CHECKPOINT_CHANGED", fmt::format("checkpoint '{}' was deleted and made again; try again", term.checkpoint_id));
  }
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare("INSERT INTO patch_terms (patch_id, version, term_index, checkpoint_id, "
                                       "blob_digest, coefficient) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"));
  return statement
      .Bind(version.patch_id, number, static_cast<int64_t>(index), term.checkpoint_id, term.blob_digest,
            term.coefficient)
      .Run();
}

// Makes the patch if it is not there, and counts its new version.
absl::StatusOr<int64_t> NextVersion(SqliteDatabase& database, const std::string& id, base::WallTime time) {
  {
    MP_ASSIGN_OR_RETURN(
        SqliteStatement insert,
        database.Prepare(fmt::format("INSERT OR IGNORE INTO patches ({}) VALUES (?1, 0, ?2, ?2, 0)", kPatchColumns)));
    MP_RETURN_IF_ERROR(insert.Bind(id, time).Run());
  }
  {
    MP_ASSIGN_OR_RETURN(SqliteStatement update,
                        database.Prepare("UPDATE patches SET latest_version = latest_version + 1, update_time = ?2, "
                                         "revision = revision + 1 WHERE id = ?1"));
    MP_RETURN_IF_ERROR(update.Bind(id, time).Run());
  }
  MP_ASSIGN_OR_RETURN(const PatchRecord patch, SelectPatch(database, id));
  return patch.latest_version;
}

}  // namespace

absl::StatusOr<int64_t> InsertRow(SqliteDatabase& database, const PatchVersionRecord& version) {
  MP_RETURN_IF_ERROR(base::CheckResourceId(version.patch_id));
  MP_RETURN_IF_ERROR(CheckExists(database, ResourceKind::kModel, version.model_id));
  MP_ASSIGN_OR_RETURN(const int64_t number, NextVersion(database, version.patch_id, version.create_time));
  {
    MP_ASSIGN_OR_RETURN(
        SqliteStatement statement,
        database.Prepare(
            fmt::format("INSERT INTO patch_versions ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", kVersionColumns)));
    MP_RETURN_IF_ERROR(statement
                           .Bind(version.patch_id, number, version.request_id, version.request_digest, version.model_id,
                                 version.allow_extrapolation, version.details_json, version.create_time)
                           .Run());
  }
  for (size_t i = 0; i < version.terms.size(); ++i) MP_RETURN_IF_ERROR(InsertTerm(database, version, number, i));
  return number;
}

absl::StatusOr<PatchRecord> SelectPatch(SqliteDatabase& database, const std::string& id) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare(fmt::format("SELECT {} FROM patches WHERE id = ?1", kPatchColumns)));
  MP_ASSIGN_OR_RETURN(const bool found, statement.Bind(id).Step());
  if (!found) {
    return base::NotFound("PATCH_NOT_FOUND",
                          fmt::format("there is no patch '{}'; list the patches there are", base::Printable(id)));
  }
  return ReadPatch(database, statement);
}

absl::StatusOr<Page<PatchRecord>> SelectPatches(SqliteDatabase& database, const PageRequest& request) {
  const std::string sql = fmt::format(
      "SELECT {} FROM patches WHERE ?4 = '' AND (create_time, id) > (?1, ?2) ORDER BY create_time, id LIMIT ?3",
      kPatchColumns);
  return SelectPage<PatchRecord>(database, request, "patches", sql, "",
                                 [&](const SqliteStatement& row) { return ReadPatch(database, row); });
}

absl::StatusOr<PatchVersionRecord> SelectPatchVersion(SqliteDatabase& database, const std::string& id,
                                                      const PatchSelector& selector) {
  MP_ASSIGN_OR_RETURN(const PatchRecord patch, SelectPatch(database, id));
  MP_ASSIGN_OR_RETURN(const int64_t version, VersionOf(patch, selector));
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database.Prepare(fmt::format("SELECT {} FROM patch_versions WHERE patch_id = ?1 AND version = ?2",
                                                   kVersionColumns)));
  MP_ASSIGN_OR_RETURN(const bool found, statement.Bind(id, version).Step());
  if (!found) return NoSuchVersion(patch, version);
  return ReadVersion(database, statement);
}

absl::StatusOr<std::vector<PatchVersionRecord>> SelectPatchVersions(SqliteDatabase& database, const std::string& id,
                                                                    int64_t limit) {
  MP_RETURN_IF_ERROR(SelectPatch(database, id).status());
  MP_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      database.Prepare(fmt::format("SELECT {} FROM patch_versions WHERE patch_id = ?1 ORDER BY version DESC LIMIT ?2",
                                   kVersionColumns)));
  statement.Bind(id, limit);
  std::vector<PatchVersionRecord> versions;
  while (true) {
    MP_ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return versions;
    MP_ASSIGN_OR_RETURN(PatchVersionRecord version, ReadVersion(database, statement));
    versions.push_back(std::move(version));
  }
}

absl::StatusOr<std::optional<PatchVersionRecord>> SelectPatchVersionOfRequest(SqliteDatabase& database,
                                                                              const std::string& request_id) {
  MP_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      database.Prepare(
          fmt::format("SELECT {} FROM patch_versions WHERE request_id = ?1 AND request_id <> ''", kVersionColumns)));
  MP_ASSIGN_OR_RETURN(const bool found, statement.Bind(request_id).Step());
  if (!found) return std::optional<PatchVersionRecord>();
  MP_ASSIGN_OR_RETURN(PatchVersionRecord version, ReadVersion(database, statement));
  return std::optional<PatchVersionRecord>(std::move(version));
}

absl::Status DeletePatchRow(SqliteDatabase& database, const std::string& id) {
  MP_ASSIGN_OR_RETURN(SqliteStatement statement, database.Prepare("DELETE FROM patches WHERE id = ?1"));
  return statement.Bind(id).Run();
}

}  // namespace modelpatch::store
