#include "core/store/data_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>

#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::store {
namespace {

using testing::FailsWith;
using testing::ScratchDirectory;

int ModeOf(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 0777) : -1;
}

TEST(DataDirectoryTest, MakesTheTreePrivate) {
  const ScratchDirectory scratch;
  ASSERT_OK_AND_ASSIGN(const DataDirectory directory, DataDirectory::Open(scratch.Path("deep/data/")));
  EXPECT_EQ(directory.path(), scratch.Path("deep/data"));
  for (const std::string& path : {directory.path(), directory.models_path(), directory.tasks_path(),
                                  directory.blobs_path(), directory.jobs_path(), directory.staging_path()}) {
    EXPECT_EQ(ModeOf(path), 0700) << path;
  }
  EXPECT_EQ(directory.metadata_path(), scratch.Path("deep/data/modelpatch.db"));
}

TEST(DataDirectoryTest, RefusesASecondServerAndNamesTheFirst) {
  const ScratchDirectory scratch;
  {
    ASSERT_OK_AND_ASSIGN(DataDirectory first, DataDirectory::Open(scratch.path()));
    const DataDirectory moved = std::move(first);
    const auto second = DataDirectory::Open(scratch.path());
    EXPECT_THAT(second, FailsWith(absl::StatusCode::kFailedPrecondition, "DATA_DIRECTORY_IN_USE"));
    EXPECT_NE(second.status().message().find(std::to_string(getpid())), std::string::npos);
  }
  EXPECT_OK(DataDirectory::Open(scratch.path()));
}

TEST(DataDirectoryTest, EmptiesStagingAndKeepsTheRest) {
  const ScratchDirectory scratch;
  testing::WriteTestFile(scratch.Path("staging/upload/half.bin"), "half");
  testing::WriteTestFile(scratch.Path("blobs/whole"), "whole");
  ASSERT_OK_AND_ASSIGN(const DataDirectory directory, DataDirectory::Open(scratch.path()));
  EXPECT_TRUE(std::filesystem::is_empty(directory.staging_path()));
  EXPECT_TRUE(std::filesystem::exists(scratch.Path("blobs/whole")));
}

TEST(DataDirectoryTest, RefusesAPathThatCannotBeADirectory) {
  const ScratchDirectory scratch;
  testing::WriteTestFile(scratch.Path("file"), "");
  EXPECT_FALSE(DataDirectory::Open(scratch.Path("file")).ok());
  EXPECT_THAT(DataDirectory::Open(""), FailsWith(absl::StatusCode::kInvalidArgument, "NO_DATA_DIRECTORY"));
}

}  // namespace
}  // namespace modelpatch::store
