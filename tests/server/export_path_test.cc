#include "server/export_path.h"

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

class ExportPathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(scratch_.Path("root/there"));
    fs::create_directories(scratch_.Path("outside"));
    fs::create_directory_symlink(scratch_.Path("outside"), scratch_.Path("root/link"));
    fs::create_symlink(scratch_.Path("outside/absent"), scratch_.Path("root/dangling"));
    root_ = fs::canonical(scratch_.Path("root")).string();
  }
  absl::StatusOr<std::string> Resolve(std::string_view path) { return ResolveExportPath(scratch_.Path("root"), path); }

  testing::ScratchDirectory scratch_;
  std::string root_;
};

TEST_F(ExportPathTest, NewPathsBelowTheRoot) {
  EXPECT_EQ(*Resolve("new"), root_ + "/new");
  EXPECT_EQ(*Resolve("there/new"), root_ + "/there/new");
  EXPECT_EQ(*Resolve("there/../new"), root_ + "/new");
  EXPECT_EQ(*Resolve(root_ + "/new"), root_ + "/new");
}

TEST_F(ExportPathTest, WhatLeadsOutOfTheRootIsRefused) {
  for (const std::string& path : {std::string("../new"), std::string("/tmp/new"), std::string("link/new"),
                                  scratch_.Path("outside/new"), scratch_.Path("root-sibling")}) {
    EXPECT_THAT(Resolve(path).status(), FailsWith(StatusCode::kPermissionDenied, "PATH_OUTSIDE_ROOTS")) << path;
  }
  EXPECT_THAT(ResolveExportPath("", "new").status(), FailsWith(StatusCode::kPermissionDenied, "NO_EXPORT_ROOT"));
}

TEST_F(ExportPathTest, NothingIsOverwritten) {
  for (const char* path : {"there", "link", "dangling"}) {
    EXPECT_THAT(Resolve(path).status(), FailsWith(StatusCode::kAlreadyExists, "PATH_EXISTS")) << path;
  }
  EXPECT_THAT(Resolve("absent/new").status(), FailsWith(StatusCode::kNotFound, "FILE_NOT_FOUND"));
}

TEST_F(ExportPathTest, WhatIsNoNameIsRefused) {
  for (const std::string& path : {std::string(), std::string("."), std::string(".."), std::string("new/"),
                                  std::string("/"), std::string("a\0b", 3), std::string(5000, 'a')}) {
    EXPECT_THAT(Resolve(path).status(), FailsWith(StatusCode::kInvalidArgument, "BAD_PATH")) << path;
  }
}

}  // namespace
}  // namespace modelpatch::server
