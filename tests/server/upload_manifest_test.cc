#include "server/uploads/upload_manifest.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/support/status_matchers.h"

namespace modelpatch::server {
namespace {

using ::modelpatch::testing::FailsWith;

v1::UploadFile File(const std::string& path, int64_t bytes = 1) {
  v1::UploadFile file;
  file.set_path(path);
  file.set_size_bytes(bytes);
  file.set_sha256(std::string(64, 'a'));
  return file;
}

v1::UploadManifest Manifest(std::initializer_list<v1::UploadFile> files) {
  v1::UploadManifest manifest;
  for (const v1::UploadFile& file : files) *manifest.add_files() = file;
  return manifest;
}

TEST(UploadManifestTest, KeepsWhatIsGood) {
  v1::UploadManifest message = Manifest({File("a/b.png", 3), File("a/c..d/…", 0), File("e", 4)});
  message.mutable_files(2)->set_sha256(std::string(64, 'A'));
  message.set_upload_id("mine");
  ASSERT_OK_AND_ASSIGN(const UploadManifest manifest, CheckManifest(message, 3));
  EXPECT_EQ(manifest.upload_id, "mine");
  EXPECT_EQ(manifest.bytes, 7);
  ASSERT_EQ(manifest.files.size(), 3u);
  EXPECT_EQ(manifest.files[2].sha256, std::string(64, 'a'));
  message.set_upload_id("");
  ASSERT_OK_AND_ASSIGN(const UploadManifest same, CheckManifest(message, 3));
  EXPECT_EQ(same.digest, manifest.digest);
  message.mutable_files(0)->set_size_bytes(2);
  ASSERT_OK_AND_ASSIGN(const UploadManifest other, CheckManifest(message, 3));
  EXPECT_NE(other.digest, manifest.digest);
}

TEST(UploadManifestTest, PathsStayWithinTheUpload) {
  for (const std::string& path :
       {std::string(), std::string("/etc/passwd"), std::string("../x"), std::string("a/../../x"), std::string("a/.."),
        std::string("."), std::string("./a"), std::string("a//b"), std::string("a/"), std::string("a\0b", 3),
        std::string(256, 'x'), std::string("\xff\xfe"), std::string("a/") + std::string(1200, '/')}) {
    const auto checked = CheckManifest(Manifest({File("good"), File(path)}), 10);
    EXPECT_THAT(checked, FailsWith(absl::StatusCode::kInvalidArgument, "BAD_UPLOAD_PATH")) << path;
    EXPECT_EQ(base::FieldOf(checked.status()), "files[1].path");
  }
}

TEST(UploadManifestTest, NoPathIsThereTwice) {
  for (const auto& files :
       {Manifest({File("a"), File("b"), File("a")}), Manifest({File("b"), File("a/b/c"), File("a/b")}),
        Manifest({File("a"), File("b"), File("a/b/c")})}) {
    EXPECT_THAT(CheckManifest(files, 10), FailsWith(absl::StatusCode::kInvalidArgument, "DUPLICATE_UPLOAD_PATH"));
  }
  EXPECT_OK(CheckManifest(Manifest({File("a/b"), File("a/c"), File("ab"), File("a.b")}), 10));
}

TEST(UploadManifestTest, CountsAndSizesAndDigestsAreChecked) {
  EXPECT_THAT(CheckManifest(Manifest({}), 10), FailsWith(absl::StatusCode::kInvalidArgument, "NO_FILES"));
  EXPECT_THAT(CheckManifest(Manifest({File("a"), File("b")}), 1),
              FailsWith(absl::StatusCode::kInvalidArgument, "TOO_MANY_FILES"));
  for (const int64_t bytes : {int64_t{-1}, INT64_MIN, INT64_MAX, (int64_t{1} << 50) + 1}) {
    EXPECT_THAT(CheckManifest(Manifest({File("a", bytes)}), 10),
                FailsWith(absl::StatusCode::kInvalidArgument, "BAD_FILE_SIZE"));
  }
  EXPECT_THAT(CheckManifest(Manifest({File("a", int64_t{1} << 50), File("b", int64_t{1} << 50)}), 10),
              FailsWith(absl::StatusCode::kInvalidArgument, "BAD_FILE_SIZE"));
  for (const std::string& digest : {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'g')}) {
    v1::UploadManifest message = Manifest({File("a")});
    message.mutable_files(0)->set_sha256(digest);
    EXPECT_THAT(CheckManifest(message, 10), FailsWith(absl::StatusCode::kInvalidArgument, "BAD_DIGEST"));
  }
  v1::UploadManifest message = Manifest({File("a")});
  message.set_upload_id("../x");
  EXPECT_THAT(CheckManifest(message, 10), FailsWith(absl::StatusCode::kInvalidArgument, "BAD_RESOURCE_ID"));
}

}  // namespace
}  // namespace modelpatch::server
