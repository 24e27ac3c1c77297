// Patches in the metadata store: versions, aliases, promotions, and what they keep from being deleted.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/store/metadata_store.h"
#include "core/store/sqlite_database.h"
#include "core/store/sqlite_metadata_store.h"
#include "core/store/sqlite_schema.h"
#include "tests/store/schema_version_1.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::store {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using ::testing::HasSubstr;

base::WallTime At(int64_t microseconds) { return base::WallTime(std::chrono::microseconds(microseconds)); }

PatchSelector Version(int64_t version) { return {version, ""}; }
PatchSelector Alias(const std::string& alias) { return {std::nullopt, alias}; }

class PatchStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Open();
    ASSERT_OK(store_->InsertModel({"m", "digest", "{}", At(1)}));
    ASSERT_OK(store_->InsertCheckpoint({"c", "m", "blob-c", "{}", "", At(1)}));
    ASSERT_OK(store_->InsertCheckpoint({"d", "m", "blob-d", "{}", "", At(1)}));
  }

  void Open() {
    store_.reset();
    ASSERT_OK_AND_ASSIGN(store_, OpenSqliteMetadataStore(path_));
  }

  static PatchVersionRecord MakeVersion(const std::string& id, double coefficient, int64_t time = 5) {
    PatchVersionRecord version;
    version.patch_id = id;
    version.model_id = "m";
    version.terms = {{"d", "blob-d", coefficient}, {"c", "blob-c", 1.0 / 3}};
    version.details_json = R"({"a":"ü"})";
    version.create_time = At(time);
    return version;
  }
  absl::Status Create(const std::string& id, double coefficient = 0.1, int64_t time = 5) {
    return store_->CreatePatchVersion(MakeVersion(id, coefficient, time)).status();
  }

  absl::StatusOr<PatchRecord> Promote(const std::string& id, int64_t version,
                                      const std::string& alias = kProductionAlias) {
    MP_ASSIGN_OR_RETURN(const PatchRecord patch, store_->GetPatch(id));
    return store_->PromotePatch(patch, false, {alias, version, false, "", "why", At(++time_)});
  }
  absl::StatusOr<PatchRecord> RollBack(const std::string& id, const std::string& alias = kProductionAlias) {
    MP_ASSIGN_OR_RETURN(const PatchRecord patch, store_->GetPatch(id));
    return store_->RollBackPatch(patch, false, {alias, 0, false, "", "", At(++time_)});
  }
  int64_t Selected(const std::string& id, const PatchSelector& selector) {
    const auto version = store_->GetPatchVersion(id, selector);
    return version.ok() ? version->version : -1;
  }

  const testing::ScratchDirectory scratch_;
  const std::string path_ = scratch_.Path("modelpatch.db");
  std::unique_ptr<MetadataStore> store_;
  int64_t time_ = 100;
};

TEST_F(PatchStoreTest, CountsImmutableVersions) {
  PatchVersionRecord first = MakeVersion("p", 0.1);
  first.allow_extrapolation = true;
  ASSERT_OK_AND_ASSIGN(const CreatedPatchVersion made, store_->CreatePatchVersion(first));
  EXPECT_TRUE(made.created);
  EXPECT_EQ(made.version.version, 1);
  PatchVersionRecord second = MakeVersion("p", -1e-300, 9);
  ASSERT_OK_AND_ASSIGN(second, [&]() -> absl::StatusOr<PatchVersionRecord> {
    MP_ASSIGN_OR_RETURN(CreatedPatchVersion created, store_->CreatePatchVersion(second));
    return created.version;
  }());
  Open();
  EXPECT_EQ(store_->GetPatchVersion("p", Version(1)).value(), made.version);
  EXPECT_EQ(store_->GetPatchVersion("p", Version(2)).value(), second);
  EXPECT_TRUE(store_->GetPatchVersion("p", Version(2)).value().terms == second.terms);
  ASSERT_OK_AND_ASSIGN(const auto versions, store_->ListPatchVersions("p", 10));
  ASSERT_EQ(versions.size(), 2u);
  EXPECT_EQ(versions[0], second);
  EXPECT_EQ(store_->ListPatchVersions("p", 1).value().size(), 1u);
  const PatchRecord expected{"p", 2, {}, At(5), At(9), 2};
  EXPECT_EQ(store_->GetPatch("p").value(), expected);
}

TEST_F(PatchStoreTest, RefusesWhatCannotBeStored) {
  EXPECT_THAT(Create("../p"), FailsWith(StatusCode::kInvalidArgument, "BAD_RESOURCE_ID"));
  PatchVersionRecord version = MakeVersion("p", 1);
  version.model_id = "none";
  EXPECT_THAT(store_->CreatePatchVersion(version), FailsWith(StatusCode::kNotFound, "MODEL_NOT_FOUND"));
  version = MakeVersion("p", 1);
  version.terms.push_back({"none", "blob", 1});
  EXPECT_THAT(store_->CreatePatchVersion(version), FailsWith(StatusCode::kNotFound, "CHECKPOINT_NOT_FOUND"));
  version = MakeVersion("p", 1);
  version.terms[1].blob_digest = "another";
  EXPECT_THAT(store_->CreatePatchVersion(version), FailsWith(StatusCode::kFailedPrecondition, "CHECKPOINT_CHANGED"));
  // Nothing half-written.
  EXPECT_THAT(store_->GetPatch("p"), FailsWith(StatusCode::kNotFound, "PATCH_NOT_FOUND"));
  EXPECT_TRUE(store_->ListPatches({}).value().records.empty());
}

TEST_F(PatchStoreTest, ARequestIdMakesOneVersion) {
  PatchVersionRecord version = MakeVersion("p", 0.5);
  version.request_id = "r";
  version.request_digest = "d";
  ASSERT_OK(store_->CreatePatchVersion(version));
  ASSERT_OK_AND_ASSIGN(const CreatedPatchVersion again, store_->CreatePatchVersion(version));
  EXPECT_FALSE(again.created);
  EXPECT_EQ(again.version.version, 1);
  EXPECT_TRUE(again.version.terms == version.terms);
  EXPECT_EQ(store_->GetPatch("p").value().latest_version, 1);
  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindPatchVersionOfRequest("r", "d"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->version, 1);
  EXPECT_FALSE(store_->FindPatchVersionOfRequest("other", "d").value().has_value());
  EXPECT_FALSE(store_->FindPatchVersionOfRequest("", "").value().has_value());
  version.request_digest = "e";
  const auto reused = store_->CreatePatchVersion(version);
  EXPECT_THAT(reused, FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
  EXPECT_EQ(base::FieldOf(reused.status()), "request_id");
  EXPECT_THAT(std::string(reused.status().message()), HasSubstr("'p@1'"));
  EXPECT_THAT(store_->FindPatchVersionOfRequest("r", "e"), FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
}

TEST_F(PatchStoreTest, ThePlainNameIsTheNewestUntilOneIsPromoted) {
  for (int i = 0; i < 3; ++i) ASSERT_OK(Create("p"));
  EXPECT_EQ(Selected("p", {}), 3);
  EXPECT_EQ(Selected("p", Alias(kLatestAlias)), 3);
  ASSERT_OK_AND_ASSIGN(const PatchRecord staged, Promote("p", 2, "staging"));
  EXPECT_EQ(staged.served_version(), 3);
  ASSERT_OK_AND_ASSIGN(const PatchRecord promoted, Promote("p", 1));
  EXPECT_TRUE(promoted.aliases == (std::vector<PatchAliasRecord>{{"production", 1}, {"staging", 2}}));
  EXPECT_EQ(promoted, store_->GetPatch("p").value());
  EXPECT_EQ(Selected("p", {}), 1);
  EXPECT_EQ(Selected("p", Alias("production")), 1);
  EXPECT_EQ(Selected("p", Alias("staging")), 2);
  EXPECT_EQ(Selected("p", Version(3)), 3);
}

TEST_F(PatchStoreTest, AnUnknownVersionOrAliasNamesThoseThatAreThere) {
  EXPECT_THAT(store_->GetPatchVersion("p", {}), FailsWith(StatusCode::kNotFound, "PATCH_NOT_FOUND"));
  ASSERT_OK(Create("p"));
  for (const int64_t bad : {-1, 0, 2}) {
    const auto version = store_->GetPatchVersion("p", Version(bad));
    EXPECT_THAT(version, FailsWith(StatusCode::kNotFound, "PATCH_VERSION_NOT_FOUND")) << bad;
    EXPECT_THAT(std::string(version.status().message()), HasSubstr("it has 1"));
    EXPECT_THAT(Promote("p", bad), FailsWith(StatusCode::kNotFound, "PATCH_VERSION_NOT_FOUND")) << bad;
  }
  ASSERT_OK(Create("p"));
  EXPECT_THAT(std::string(store_->GetPatchVersion("p", Version(7)).status().message()), HasSubstr("it has 1 to 2"));
  ASSERT_OK(Promote("p", 2, "canary"));
  const auto alias = store_->GetPatchVersion("p", Alias("production"));
  EXPECT_THAT(alias, FailsWith(StatusCode::kNotFound, "PATCH_ALIAS_NOT_FOUND"));
  EXPECT_THAT(std::string(alias.status().message()), HasSubstr("it has latest, canary"));
}

TEST_F(PatchStoreTest, RollbacksWalkBackAlongThePromotions) {
  for (int i = 0; i < 4; ++i) ASSERT_OK(Create("p"));
  EXPECT_THAT(RollBack("p"), FailsWith(StatusCode::kFailedPrecondition, "NO_PREVIOUS_VERSION"));
  ASSERT_OK(Promote("p", 1));
  EXPECT_THAT(RollBack("p"), FailsWith(StatusCode::kFailedPrecondition, "NO_PREVIOUS_VERSION"));
  ASSERT_OK(Promote("p", 2));
  ASSERT_OK(Promote("p", 4, "canary"));
  ASSERT_OK(Promote("p", 3));
  EXPECT_EQ(RollBack("p").value().served_version(), 2);
  EXPECT_EQ(RollBack("p").value().served_version(), 1);
  EXPECT_THAT(RollBack("p"), FailsWith(StatusCode::kFailedPrecondition, "NO_PREVIOUS_VERSION"));
  // What was promoted after a rollback goes back to what the rollback led to.
  ASSERT_OK(Promote("p", 4));
  EXPECT_EQ(RollBack("p").value().served_version(), 1);
  EXPECT_EQ(Selected("p", Alias("canary")), 4);
}

TEST_F(PatchStoreTest, KeepsTheHistory) {
  for (int i = 0; i < 2; ++i) ASSERT_OK(Create("p"));
  ASSERT_OK_AND_ASSIGN(const PatchRecord patch, store_->GetPatch("p"));
  const PatchPromotionRecord first{"production", 1, false, "it lost 5 points", "the customer wants it", At(200)};
  ASSERT_OK(store_->PromotePatch(patch, false, first));
  ASSERT_OK(Promote("p", 2));
  // Nothing changes, so nothing is recorded.
  ASSERT_OK_AND_ASSIGN(const PatchRecord same, Promote("p", 2));
  EXPECT_EQ(same.revision, 4);
  ASSERT_OK(RollBack("p"));
  Open();
  ASSERT_OK_AND_ASSIGN(const auto history, store_->ListPatchPromotions("p", 10));
  ASSERT_EQ(history.size(), 3u);
  EXPECT_EQ(history[2], first);
  EXPECT_EQ(history[1].version, 2);
  EXPECT_TRUE(history[0].is_rollback);
  EXPECT_EQ(history[0].version, 1);
  EXPECT_EQ(store_->ListPatchPromotions("p", 1).value().size(), 1u);
  EXPECT_EQ(store_->GetPatch("p").value().update_time, history[0].time);
  EXPECT_THAT(store_->ListPatchPromotions("q", 1), FailsWith(StatusCode::kNotFound, "PATCH_NOT_FOUND"));
}

TEST_F(PatchStoreTest, RefusesToChangeWhatHasChanged) {
  ASSERT_OK(Create("p"));
  ASSERT_OK_AND_ASSIGN(const PatchRecord seen, store_->GetPatch("p"));
  ASSERT_OK(Create("p"));
  const PatchPromotionRecord promotion{"production", 1, false, "", "", At(200)};
  EXPECT_THAT(store_->PromotePatch(seen, true, promotion), FailsWith(StatusCode::kAborted, "STALE_REVISION"));
  EXPECT_THAT(store_->RollBackPatch(seen, true, promotion), FailsWith(StatusCode::kAborted, "STALE_REVISION"));
  EXPECT_THAT(store_->DeletePatch(seen, true), FailsWith(StatusCode::kAborted, "STALE_REVISION"));
  EXPECT_OK(store_->PromotePatch(seen, false, promotion));
  // Another patch of the same name is never meant.
  ASSERT_OK(store_->DeletePatch(seen, false));
  ASSERT_OK(Create("p", 0.1, /*time=*/6));
  EXPECT_THAT(store_->PromotePatch(seen, false, promotion), FailsWith(StatusCode::kAborted, "STALE_REVISION"));
  EXPECT_EQ(Selected("p", {}), 1);
  EXPECT_TRUE(store_->ListPatchPromotions("p", 10).value().empty());
}

TEST_F(PatchStoreTest, APatchKeepsItsCheckpointsModelAndBlobs) {
  ASSERT_OK(store_->InsertModel({"alone", "digest", "{}", At(1)}));
  PatchVersionRecord version = MakeVersion("p", 0.5);
  version.model_id = "alone";
  version.terms.pop_back();
  ASSERT_OK(store_->CreatePatchVersion(version));
  ASSERT_OK(Create("p"));
  const absl::Status used = store_->DeleteCheckpoint("d");
  EXPECT_THAT(used, FailsWith(StatusCode::kFailedPrecondition, "RESOURCE_IN_USE"));
  EXPECT_THAT(std::string(used.message()), HasSubstr("'p@"));
  EXPECT_THAT(store_->DeleteCheckpoint("c"), FailsWith(StatusCode::kFailedPrecondition, "RESOURCE_IN_USE"));
  EXPECT_THAT(store_->DeleteModel("alone"), FailsWith(StatusCode::kFailedPrecondition, "RESOURCE_IN_USE"));
  EXPECT_EQ(store_->ListBlobDigests().value(), (std::vector<std::string>{"blob-c", "blob-d"}));

  ASSERT_OK_AND_ASSIGN(const PatchRecord patch, store_->GetPatch("p"));
  ASSERT_OK(store_->DeletePatch(patch, true));
  EXPECT_THAT(store_->GetPatch("p"), FailsWith(StatusCode::kNotFound, "PATCH_NOT_FOUND"));
  EXPECT_THAT(store_->DeletePatch(patch, false), FailsWith(StatusCode::kNotFound, "PATCH_NOT_FOUND"));
  EXPECT_OK(store_->DeleteCheckpoint("c"));
  EXPECT_OK(store_->DeleteCheckpoint("d"));
  EXPECT_OK(store_->DeleteModel("alone"));
}

TEST_F(PatchStoreTest, PagesPatches) {
  for (const char* id : {"b", "a", "c"}) ASSERT_OK(Create(id));
  ASSERT_OK(Promote("a", 1));
  ASSERT_OK_AND_ASSIGN(const auto page, store_->ListPatches({2, ""}));
  ASSERT_EQ(page.records.size(), 2u);
  EXPECT_EQ(page.records[0], store_->GetPatch("a").value());
  EXPECT_EQ(page.records[1].id, "b");
  ASSERT_OK_AND_ASSIGN(const auto rest, store_->ListPatches({2, page.next_page_token}));
  ASSERT_EQ(rest.records.size(), 1u);
  EXPECT_EQ(rest.records[0].id, "c");
  EXPECT_EQ(rest.next_page_token, "");
}

// Every table and index, by name, with the SQL that made it.
absl::StatusOr<std::vector<std::string>> SchemaOf(const std::string& path) {
  MP_ASSIGN_OR_RETURN(const auto database, SqliteDatabase::Open(path));
  MP_ASSIGN_OR_RETURN(SqliteStatement statement,
                      database->Prepare("SELECT name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name"));
  std::vector<std::string> schema;
  while (true) {
    MP_ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return schema;
    schema.push_back(statement.Text(0));
  }
}

TEST_F(PatchStoreTest, ADatabaseOfTheFirstVersionGetsPatches) {
  const std::string old = scratch_.Path("old.db");
  {
    ASSERT_OK_AND_ASSIGN(const auto database, SqliteDatabase::Open(old));
    ASSERT_OK(database->Execute(testing::kSchemaVersion1));
    ASSERT_OK(
        database->Execute("INSERT INTO models VALUES ('m', 'digest', '{}', 1);"
                          "INSERT INTO checkpoints VALUES ('c', 'm', 'blob-c', '{}', 'j', 2);"
                          "INSERT INTO checkpoints VALUES ('d', 'm', 'blob-d', '{}', '', 3);"
                          "INSERT INTO jobs VALUES ('j', '', '', x'00', 'SUCCEEDED', x'01', 0, '', '', 1, 1, 2, "
                          "0, 7);"));
  }
  const std::string fresh_path = path_;
  store_.reset();
  ASSERT_OK_AND_ASSIGN(store_, OpenSqliteMetadataStore(old));
  const CheckpointRecord kept{"c", "m", "blob-c", "{}", "j", At(2)};
  EXPECT_EQ(store_->GetCheckpoint("c").value(), kept);
  EXPECT_EQ(store_->GetJob("j").value().revision, 7);
  EXPECT_TRUE(store_->ListPatches({}).value().records.empty());
  EXPECT_OK(Create("p"));
  EXPECT_EQ(Promote("p", 1).value().served_version(), 1);
  EXPECT_THAT(store_->DeleteCheckpoint("c"), FailsWith(StatusCode::kFailedPrecondition, "RESOURCE_IN_USE"));
  store_.reset();
  ASSERT_OK_AND_ASSIGN(const auto migrated, SchemaOf(old));
  ASSERT_OK_AND_ASSIGN(const auto fresh, SchemaOf(fresh_path));
  EXPECT_EQ(migrated, fresh);
  ASSERT_OK_AND_ASSIGN(const auto database, SqliteDatabase::Open(old));
  EXPECT_EQ(database->SelectInteger("PRAGMA user_version").value(), kSqliteSchemaVersion);
}

}  // namespace
}  // namespace modelpatch::store
