// Where tests find files: optional reference data, the source tree, built programs, and a scratch directory.
#pragma once

#include <optional>
#include <string>

namespace modelpatch::testing {

// The path of `relative` below $MODELPATCH_TEST_DATA (default: `../shared` beside the source tree), or nothing if it is
// not there: the test then skips with MODELPATCH_SKIP_WITHOUT.
std::optional<std::string> FindTestData(const std::string& relative);

// The path of `relative` in the source tree.
std::string SourcePath(const std::string& relative);

// The path of a built program, such as `modelpatch-server`.
std::string ProgramPath(const std::string& name);

// A directory of its own that is removed at the end.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Writes `content` to `path`, for tests that need a file of given bytes. Fails the test on an error.
void WriteTestFile(const std::string& path, const std::string& content);

}  // namespace modelpatch::testing

// Skips the running test, naming what is missing, unless `relative` exists below the test data; else declares
// `variable`.
#define MODELPATCH_TEST_DATA_OR_SKIP(variable, relative)                                                 \
  const std::optional<std::string> variable##_or = ::modelpatch::testing::FindTestData(relative);        \
  if (!variable##_or.has_value()) GTEST_SKIP() << "no " << (relative) << " below $MODELPATCH_TEST_DATA"; \
  const std::string& variable = *variable##_or
