#include "server/uploads/upload_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <string>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "tests/support/fakes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::server {
namespace {

namespace fs = std::filesystem;
using ::modelpatch::testing::FailsWith;
using ::testing::ElementsAre;

class UploadStoreTest : public ::testing::Test {
 protected:
  // Of "hello" in a/one and nothing in two.
  static UploadManifest Manifest(const std::string& id) {
    UploadManifest manifest;
    manifest.upload_id = id;
    manifest.files = {{"a/one", 5, base::Sha256Hex("hello")}, {"two", 0, base::Sha256Hex("")}};
    manifest.bytes = 5;
    manifest.digest = "d";
    return manifest;
  }
  static v1::UploadChunk Chunk(int index, int64_t offset, const std::string& data) {
    v1::UploadChunk chunk;
    chunk.set_file_index(index);
    chunk.set_offset_bytes(offset);
    chunk.set_data(data);
    return chunk;
  }
  int64_t StagedCount() const {
    return std::distance(fs::directory_iterator(scratch_.path()), fs::directory_iterator());
  }

  const testing::ScratchDirectory scratch_;
  testing::FakeClock clock_;
  testing::ManualTimer timer_;
  testing::InlineExecutor executor_;
  UploadStore store_{{scratch_.path(), /*maximum_bytes=*/12, std::chrono::seconds(60)}, clock_, timer_, executor_};
};

TEST_F(UploadStoreTest, FilesArriveInPieces) {
  ASSERT_OK_AND_ASSIGN(auto session, store_.Begin(Manifest("")));
  Upload& upload = session->upload();
  EXPECT_OK(upload.Write(Chunk(0, 0, "hel")));
  EXPECT_THAT(upload.CheckComplete({}), FailsWith(absl::StatusCode::kFailedPrecondition, "UPLOAD_INCOMPLETE"));
  EXPECT_OK(upload.Write(Chunk(0, 3, "")));
  EXPECT_OK(upload.Write(Chunk(0, 3, "lo")));
  EXPECT_OK(upload.CheckComplete({}));
  ASSERT_OK_AND_ASSIGN(const std::string content, base::ReadFile(upload.directory() + "/a/one", 100));
  EXPECT_EQ(content, "hello");
  EXPECT_TRUE(fs::is_empty(upload.directory() + "/two"));
  session.reset();
  EXPECT_EQ(StagedCount(), 0);
}

TEST_F(UploadStoreTest, BadChunksAreRefusedAndChangeNothing) {
  ASSERT_OK_AND_ASSIGN(auto session, store_.Begin(Manifest("")));
  Upload& upload = session->upload();
  EXPECT_OK(upload.Write(Chunk(0, 0, "hel")));
  EXPECT_THAT(upload.Write(Chunk(0, 0, "hel")), FailsWith(absl::StatusCode::kInvalidArgument, "WRONG_OFFSET"));
  EXPECT_THAT(upload.Write(Chunk(0, 4, "o")), FailsWith(absl::StatusCode::kInvalidArgument, "WRONG_OFFSET"));
  EXPECT_THAT(upload.Write(Chunk(0, -1, "o")), FailsWith(absl::StatusCode::kInvalidArgument, "WRONG_OFFSET"));
  EXPECT_THAT(upload.Write(Chunk(0, 3, "lo!")), FailsWith(absl::StatusCode::kInvalidArgument, "FILE_TOO_LONG"));
  EXPECT_THAT(upload.Write(Chunk(1, 0, "x")), FailsWith(absl::StatusCode::kInvalidArgument, "FILE_TOO_LONG"));
  EXPECT_THAT(upload.Write(Chunk(2, 0, "x")), FailsWith(absl::StatusCode::kInvalidArgument, "BAD_FILE_INDEX"));
  EXPECT_THAT(upload.Write(Chunk(-1, 0, "x")), FailsWith(absl::StatusCode::kInvalidArgument, "BAD_FILE_INDEX"));
  EXPECT_THAT(upload.received(), ElementsAre(3, 0));
  EXPECT_OK(upload.Write(Chunk(0, 3, "p!")));
  EXPECT_THAT(upload.CheckComplete({}), FailsWith(absl::StatusCode::kInvalidArgument, "WRONG_DIGEST"));
}

TEST_F(UploadStoreTest, AnInterruptedUploadWaitsAndGoesOn) {
  {
    ASSERT_OK_AND_ASSIGN(const auto session, store_.Begin(Manifest("u")));
    EXPECT_OK(session->upload().Write(Chunk(0, 0, "hel")));
    ASSERT_OK_AND_ASSIGN(const UploadStore::Status status, store_.Get("u"));
    EXPECT_FALSE(status.expires.has_value());
    EXPECT_THAT(store_.Begin(Manifest("u")).status(), FailsWith(absl::StatusCode::kAborted, "UPLOAD_IN_USE"));
    EXPECT_THAT(store_.Delete("u"), FailsWith(absl::StatusCode::kAborted, "UPLOAD_IN_USE"));
    session->Keep();
  }
  EXPECT_EQ(StagedCount(), 1);
  clock_.Advance(std::chrono::seconds(59));
  ASSERT_OK_AND_ASSIGN(const UploadStore::Status status, store_.Get("u"));
  EXPECT_EQ(status.bytes, 5);
  EXPECT_THAT(status.received, ElementsAre(3, 0));
  EXPECT_EQ(status.expires, clock_.Now() + std::chrono::seconds(1));
  UploadManifest other = Manifest("u");
  other.digest = "another";
  EXPECT_THAT(store_.Begin(other).status(), FailsWith(absl::StatusCode::kAlreadyExists, "UPLOAD_ID_REUSED"));
  {
    ASSERT_OK_AND_ASSIGN(const auto session, store_.Begin(Manifest("u")));
    EXPECT_OK(session->upload().Write(Chunk(0, 3, "lo")));
    EXPECT_OK(session->upload().CheckComplete({}));
    // What was under way when it expired is not taken away.
    clock_.Advance(std::chrono::hours(1));
    timer_.RunAll();
    EXPECT_OK(session->upload().CheckComplete({}));
  }
  EXPECT_EQ(StagedCount(), 0);
  EXPECT_THAT(store_.Get("u").status(), FailsWith(absl::StatusCode::kNotFound, "UPLOAD_NOT_FOUND"));
}

TEST_F(UploadStoreTest, AnInterruptedUploadExpires) {
  const auto interrupt = [&] {
    auto session = store_.Begin(Manifest("u"));
    ASSERT_OK(session.status());
    EXPECT_OK((*session)->upload().Write(Chunk(0, 0, "h")));
    (*session)->Keep();
  };
  interrupt();
  ASSERT_EQ(timer_.waits().size(), 1u);
  EXPECT_GT(timer_.waits()[0], std::chrono::seconds(60));
  clock_.Advance(timer_.waits()[0]);
  EXPECT_THAT(store_.Get("u").status(), FailsWith(absl::StatusCode::kNotFound, "UPLOAD_NOT_FOUND"));
  timer_.RunAll();
  EXPECT_EQ(StagedCount(), 0);
  // The next upload sweeps as well.
  interrupt();
  EXPECT_EQ(StagedCount(), 1);
  clock_.Advance(std::chrono::seconds(61));
  ASSERT_OK_AND_ASSIGN(const auto session, store_.Begin(Manifest("v")));
  EXPECT_EQ(StagedCount(), 1);
}

TEST_F(UploadStoreTest, AnUploadWithoutAnIdDoesNotStay) {
  {
    ASSERT_OK_AND_ASSIGN(const auto session, store_.Begin(Manifest("")));
    session->Keep();
  }
  EXPECT_EQ(StagedCount(), 0);
}

TEST_F(UploadStoreTest, UploadsShareTheirBytes) {
  UploadManifest large = Manifest("large");
  large.bytes = 13;
  EXPECT_THAT(store_.Begin(large).status(), FailsWith(absl::StatusCode::kResourceExhausted, "UPLOAD_TOO_LARGE"));
  ASSERT_OK_AND_ASSIGN(auto first, store_.Begin(Manifest("a")));
  ASSERT_OK_AND_ASSIGN(auto second, store_.Begin(Manifest("b")));
  EXPECT_THAT(store_.Begin(Manifest("c")).status(), FailsWith(absl::StatusCode::kResourceExhausted, "UPLOADS_FULL"));
  first->Keep();
  first.reset();
  EXPECT_THAT(store_.Begin(Manifest("c")).status(), FailsWith(absl::StatusCode::kResourceExhausted, "UPLOADS_FULL"));
  EXPECT_OK(store_.Delete("a"));
  EXPECT_THAT(store_.Delete("a"), FailsWith(absl::StatusCode::kNotFound, "UPLOAD_NOT_FOUND"));
  EXPECT_OK(store_.Begin(Manifest("c")).status());
  second.reset();
  EXPECT_EQ(StagedCount(), 0);
}

}  // namespace
}  // namespace modelpatch::server
