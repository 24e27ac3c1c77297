#include "server/root_paths.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::server {
namespace {

namespace fs = std::filesystem;
using absl::StatusCode;
using testing::FailsWith;
using testing::WriteTestFile;

class RootPathsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteTestFile(scratch_.Path("root/model/config.json"), "{}");
    WriteTestFile(scratch_.Path("root-sibling/secret"), "s");
    WriteTestFile(scratch_.Path("outside/secret"), "s");
    root_ = fs::canonical(scratch_.Path("root")).string();
  }

  absl::StatusOr<std::string> Resolve(std::string_view path) {
    auto roots = RootPaths::Make({scratch_.Path("root")});
    return roots.ok() ? roots->Resolve(path) : roots.status();
  }

  testing::ScratchDirectory scratch_;
  std::string root_;
};

TEST_F(RootPathsTest, ResolvesAbsoluteAndRelativePathsBelowARoot) {
  for (const std::string& path :
       {scratch_.Path("root/model"), std::string("model"), std::string("./model/../model"), std::string("model/")}) {
    ASSERT_OK_AND_ASSIGN(const std::string resolved, Resolve(path));
    EXPECT_EQ(fs::path(resolved).lexically_normal(), fs::path(root_) / fs::path(resolved).lexically_relative(root_));
    EXPECT_TRUE(fs::equivalent(resolved, root_ + "/model"));
  }
}

TEST_F(RootPathsTest, RefusesWhatLeadsOut) {
  for (const std::string& path : {scratch_.Path("outside/secret"), scratch_.Path("root/../outside/secret"),
                                  std::string("../outside"), scratch_.Path("root-sibling/secret"), std::string("/"),
                                  std::string("/etc/passwd"), scratch_.Path("outside/not-there")}) {
    EXPECT_THAT(Resolve(path), FailsWith(StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOTS")) << path;
  }
}

TEST_F(RootPathsTest, FollowsSymbolicLinksBeforeJudging) {
  fs::create_directory_symlink(scratch_.Path("outside"), scratch_.Path("root/link"));
  fs::create_symlink(scratch_.Path("outside/secret"), scratch_.Path("root/file"));
  fs::create_directory_symlink(scratch_.Path("root/model"), scratch_.Path("root/inner"));
  EXPECT_THAT(Resolve("link/secret"), FailsWith(StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOTS"));
  EXPECT_THAT(Resolve("link/not-there"), FailsWith(StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOTS"));
  EXPECT_THAT(Resolve("file"), FailsWith(StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOTS"));
  EXPECT_OK(Resolve("inner/config.json"));
}

TEST_F(RootPathsTest, ALinkIntoARootFromOutsideIsInside) {
  fs::create_directory_symlink(scratch_.Path("root"), scratch_.Path("outside/back"));
  EXPECT_OK(Resolve(scratch_.Path("outside/back/model")));
}

TEST_F(RootPathsTest, RefusesWhatIsNoPathOrNotThere) {
  EXPECT_THAT(Resolve(""), FailsWith(StatusCode::kInvalidArgument, "BAD_PATH"));
  EXPECT_THAT(Resolve(std::string("a\0b", 3)), FailsWith(StatusCode::kInvalidArgument, "BAD_PATH"));
  EXPECT_THAT(Resolve(std::string(10'000, 'a')), FailsWith(StatusCode::kInvalidArgument, "BAD_PATH"));
  EXPECT_THAT(Resolve(std::string(300, 'a')), FailsWith(StatusCode::kInvalidArgument, "BAD_PATH"));
  EXPECT_THAT(Resolve("not-there"), FailsWith(StatusCode::kNotFound, "FILE_NOT_FOUND"));
}

TEST_F(RootPathsTest, WithoutARootNothingIsAllowed) {
  ASSERT_OK_AND_ASSIGN(const RootPaths none, RootPaths::Make({}));
  EXPECT_THAT(none.Resolve("model"), FailsWith(StatusCode::kPermissionDenied, "NO_IMPORT_ROOT"));
}

TEST_F(RootPathsTest, RelativePathsAreLookedForInEveryRoot) {
  WriteTestFile(scratch_.Path("second/other"), "o");
  ASSERT_OK_AND_ASSIGN(const RootPaths roots, RootPaths::Make({scratch_.Path("root"), scratch_.Path("second")}));
  ASSERT_OK_AND_ASSIGN(const std::string resolved, roots.Resolve("other"));
  EXPECT_TRUE(fs::equivalent(resolved, scratch_.Path("second/other")));
}

TEST_F(RootPathsTest, ARootMustBeADirectory) {
  EXPECT_THAT(RootPaths::Make({scratch_.Path("nowhere")}), FailsWith(StatusCode::kNotFound, "FILE_NOT_FOUND"));
  EXPECT_THAT(RootPaths::Make({scratch_.Path("outside/secret")}),
              FailsWith(StatusCode::kInvalidArgument, "NOT_A_DIRECTORY"));
}

}  // namespace
}  // namespace modelpatch::server
