#include "server/content_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>

#include "core/base/file.h"
#include "server/copy_files.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::server {
namespace {

namespace fs = std::filesystem;
using absl::StatusCode;
using testing::FailsWith;
using testing::WriteTestFile;

class ContentDirectoryTest : public ::testing::Test {
 protected:
  ContentDirectoryTest() : content_(scratch_.Path("models"), scratch_.Path("staging")) {
    fs::create_directories(scratch_.Path("models"));
    fs::create_directories(scratch_.Path("staging"));
  }

  absl::Status Publish(StagedDirectory& staged, const std::string& key) {
    base::MutexLock lock(content_.mutex());
    return content_.Publish(staged, key);
  }

  testing::ScratchDirectory scratch_;
  ContentDirectory content_;
};

TEST_F(ContentDirectoryTest, WhatIsNotPublishedIsRemoved) {
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<StagedDirectory> staged, content_.Stage());
    WriteTestFile(staged->path() + "/a/b", "x");
  }
  EXPECT_TRUE(fs::is_empty(scratch_.Path("staging")));
  EXPECT_TRUE(fs::is_empty(scratch_.Path("models")));
}

TEST_F(ContentDirectoryTest, WhatIsPublishedIsThereUnderItsKey) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<StagedDirectory> staged, content_.Stage());
  WriteTestFile(staged->path() + "/file", "content");
  ASSERT_OK(Publish(*staged, "digest"));
  ASSERT_OK_AND_ASSIGN(const std::string content, base::ReadFile(content_.PathOf("digest") + "/file", 100));
  EXPECT_EQ(content, "content");
  EXPECT_TRUE(fs::is_empty(scratch_.Path("staging")));
}

TEST_F(ContentDirectoryTest, TheSameKeyTwiceIsStoredOnce) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<StagedDirectory> staged, content_.Stage());
    WriteTestFile(staged->path() + "/file", "content");
    ASSERT_OK(Publish(*staged, "digest"));
  }
  EXPECT_TRUE(fs::is_empty(scratch_.Path("staging")));
  EXPECT_EQ(DirectoryBytes(scratch_.Path("models")), 7);
  base::MutexLock lock(content_.mutex());
  ASSERT_OK(content_.Remove("digest"));
  EXPECT_TRUE(fs::is_empty(scratch_.Path("models")));
}

TEST(WithPathShownAsTest, OnlyTheMessageChanges) {
  const absl::Status status = base::WithField(base::InvalidArgument("BAD", "/s/a is not /s/b"), "path");
  const absl::Status shown = WithPathShownAs(status, "/s", "/s/mine");
  EXPECT_EQ(shown.message(), "/s/mine/a is not /s/mine/b");
  EXPECT_THAT(shown, FailsWith(StatusCode::kInvalidArgument, "BAD"));
  EXPECT_EQ(base::FieldOf(shown), "path");
  EXPECT_OK(WithPathShownAs(absl::OkStatus(), "/s", "mine"));
}

class CopyFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteTestFile(scratch_.Path("root/set/train/a.png"), "a");
    WriteTestFile(scratch_.Path("root/set/train/.hidden"), "h");
    WriteTestFile(scratch_.Path("root/set/notes.txt"), "n");
    WriteTestFile(scratch_.Path("outside/secret"), "s");
    ASSERT_OK_AND_ASSIGN(RootPaths roots, RootPaths::Make({scratch_.Path("root")}));
    roots_ = std::make_unique<RootPaths>(std::move(roots));
  }

  testing::ScratchDirectory scratch_;
  std::unique_ptr<RootPaths> roots_;
};

TEST_F(CopyFilesTest, CopiesFilesByTheRules) {
  CopyRules rules;
  rules.recursive = true;
  ASSERT_OK(CopyDirectory(*roots_, "set", scratch_.Path("copy"), rules, {}));
  EXPECT_TRUE(fs::exists(scratch_.Path("copy/train/a.png")));
  EXPECT_TRUE(fs::exists(scratch_.Path("copy/notes.txt")));
  EXPECT_FALSE(fs::exists(scratch_.Path("copy/train/.hidden")));
  rules.recursive = false;
  rules.wanted = [](const std::string& name) { return name != "notes.txt"; };
  ASSERT_OK(CopyDirectory(*roots_, "set", scratch_.Path("flat"), rules, {}));
  EXPECT_TRUE(fs::is_empty(scratch_.Path("flat")));
}

TEST_F(CopyFilesTest, FollowsLinksOnlyInsideTheRoots) {
  fs::create_symlink(scratch_.Path("root/set/notes.txt"), scratch_.Path("root/set/train/inside"));
  CopyRules rules;
  rules.recursive = true;
  ASSERT_OK(CopyDirectory(*roots_, "set", scratch_.Path("copy"), rules, {}));
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(scratch_.Path("copy/train/inside"))));
  fs::create_symlink(scratch_.Path("outside/secret"), scratch_.Path("root/set/train/leak"));
  EXPECT_THAT(CopyDirectory(*roots_, "set", scratch_.Path("second"), rules, {}),
              FailsWith(StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOTS"));
}

TEST_F(CopyFilesTest, ADirectoryThatContainsItselfEnds) {
  fs::create_directory_symlink(scratch_.Path("root/set"), scratch_.Path("root/set/loop"));
  CopyRules rules;
  rules.recursive = true;
  EXPECT_THAT(CopyDirectory(*roots_, "set", scratch_.Path("copy"), rules, {}),
              FailsWith(StatusCode::kInvalidArgument, "DIRECTORY_TOO_DEEP"));
}

TEST_F(CopyFilesTest, ACancelledCopyStops) {
  base::CancellationSource source;
  source.Cancel();
  EXPECT_EQ(CopyFile(*roots_, "set/notes.txt", scratch_.Path("copied"), source.token()).code(), StatusCode::kCancelled);
  EXPECT_EQ(CopyDirectory(*roots_, "set", scratch_.Path("copy"), {}, source.token()).code(), StatusCode::kCancelled);
}

TEST_F(CopyFilesTest, AFileAboveTheMaximumIsNotCopied) {
  WriteTestFile(scratch_.Path("root/large"), "12345");
  EXPECT_THAT(CopyFile(*roots_, "large", scratch_.Path("copied"), {}, 4),
              FailsWith(StatusCode::kInvalidArgument, "FILE_TOO_LARGE"));
  EXPECT_FALSE(fs::exists(scratch_.Path("copied")));
  EXPECT_OK(CopyFile(*roots_, "large", scratch_.Path("copied"), {}, 5));
}

TEST_F(CopyFilesTest, ReadsTheBeginningOfAFileBelowTheRoots) {
  WriteTestFile(scratch_.Path("root/file"), "12345");
  ASSERT_OK_AND_ASSIGN(const FileBeginning part, ReadBeginning(*roots_, "file", 3));
  EXPECT_EQ(part.bytes, "123");
  EXPECT_EQ(part.file_bytes, 5u);
  ASSERT_OK_AND_ASSIGN(const FileBeginning whole, ReadBeginning(*roots_, "file", 1000));
  EXPECT_EQ(whole.bytes, "12345");
  EXPECT_THAT(ReadBeginning(*roots_, scratch_.Path("outside/secret"), 3),
              FailsWith(StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOTS"));
}

TEST_F(CopyFilesTest, APipeIsNoFile) {
  ASSERT_EQ(mkfifo(scratch_.Path("root/pipe").c_str(), 0600), 0);
  EXPECT_THAT(CopyFile(*roots_, "pipe", scratch_.Path("copied"), {}),
              FailsWith(StatusCode::kInvalidArgument, "NOT_A_REGULAR_FILE"));
  EXPECT_THAT(ReadBeginning(*roots_, "pipe", 8), FailsWith(StatusCode::kInvalidArgument, "NOT_A_REGULAR_FILE"));
}

}  // namespace
}  // namespace modelpatch::server
