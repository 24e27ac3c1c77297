#include "tests/support/test_data.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace modelpatch::testing {
namespace {

std::string Environment(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

}  // namespace

std::string SourcePath(const std::string& relative) {
  return (std::filesystem::path(Environment("MODELPATCH_SOURCE_DIR", ".")) / relative).string();
}

std::optional<std::string> FindTestData(const std::string& relative) {
  const std::string root = Environment("MODELPATCH_TEST_DATA", SourcePath("../shared"));
  const std::filesystem::path path = std::filesystem::path(root) / relative;
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path.string();
}

std::string ProgramPath(const std::string& name) {
  return Environment("MODELPATCH_BIN_DIR", "build/release/bin") + "/" + name;
}

ScratchDirectory::ScratchDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "modelpatch-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << "cannot create " << pattern;
  path_ = pattern;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void WriteTestFile(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  ASSERT_TRUE(file.good()) << path;
}

}  // namespace modelpatch::testing
