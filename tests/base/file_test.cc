#include "core/base/file.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::base {
namespace {

using ::modelpatch::testing::FailsWith;
using ::modelpatch::testing::ScratchDirectory;
using ::modelpatch::testing::WriteTestFile;

TEST(FileTest, AtomicWriteReplacesAndLeavesNothingElse) {
  const ScratchDirectory scratch;
  ASSERT_OK(WriteFileAtomically(scratch.Path("f"), "one"));
  ASSERT_OK(WriteFileAtomically(scratch.Path("f"), "two"));
  ASSERT_OK_AND_ASSIGN(const std::string content, ReadFile(scratch.Path("f"), 10));
  EXPECT_EQ(content, "two");
  const auto entries = std::filesystem::directory_iterator(scratch.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(FileTest, AtomicWriteIntoMissingDirectoryFails) {
  const ScratchDirectory scratch;
  EXPECT_THAT(WriteFileAtomically(scratch.Path("none/f"), "x"),
              FailsWith(absl::StatusCode::kNotFound, "FILE_NOT_FOUND"));
}

TEST(FileTest, AFullDiskIsNamedAndLeavesNothing) {
  // /dev/full fails every write with ENOSPC, but is not a place to rename in: a symbolic link for the temporary name
  // is.
  const ScratchDirectory scratch;
  const std::string temporary = scratch.Path("f") + "." + std::to_string(getpid()) + ".tmp";
  std::filesystem::create_symlink("/dev/full", temporary);
  EXPECT_THAT(WriteFileAtomically(scratch.Path("f"), "x"),
              FailsWith(absl::StatusCode::kResourceExhausted, "DISK_FULL"));
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(FileTest, OnlyRegularFilesAreRead) {
  const ScratchDirectory scratch;
  ASSERT_EQ(mkfifo(scratch.Path("pipe").c_str(), 0600), 0);
  const int socket_descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  ASSERT_LT(scratch.Path("socket").size(), sizeof address.sun_path);
  scratch.Path("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(socket_descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(socket_descriptor);
  for (const std::string& path :
       {scratch.Path("pipe"), scratch.Path("socket"), scratch.path(), std::string("/dev/zero")}) {
    EXPECT_THAT(ReadFile(path, 100), FailsWith(absl::StatusCode::kInvalidArgument, "NOT_A_REGULAR_FILE")) << path;
    EXPECT_THAT(MappedFile::Open(path), FailsWith(absl::StatusCode::kInvalidArgument, "NOT_A_REGULAR_FILE")) << path;
  }
}

TEST(FileTest, TooLargeIsRefused) {
  const ScratchDirectory scratch;
  WriteTestFile(scratch.Path("f"), "12345");
  EXPECT_THAT(ReadFile(scratch.Path("f"), 4), FailsWith(absl::StatusCode::kInvalidArgument, "FILE_TOO_LARGE"));
}

TEST(FileTest, MapsContentAndEmptyFiles) {
  const ScratchDirectory scratch;
  WriteTestFile(scratch.Path("f"), "12345");
  WriteTestFile(scratch.Path("empty"), "");
  ASSERT_OK_AND_ASSIGN(const MappedFile file, MappedFile::Open(scratch.Path("f")));
  EXPECT_EQ(file.bytes(), "12345");
  ASSERT_OK_AND_ASSIGN(const MappedFile empty, MappedFile::Open(scratch.Path("empty")));
  EXPECT_TRUE(empty.bytes().empty());
}

}  // namespace
}  // namespace modelpatch::base
