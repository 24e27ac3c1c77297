#include "client/cli/demo_paths.h"

#include <filesystem>
#include <string>
#include <system_error>

namespace modelpatch::client {
namespace {

namespace fs = std::filesystem;

// The first directory upwards from `start` with deploy/demo in it, or the installation's, as a path that may not exist.
fs::path FindDemoDirectory(const fs::path& start) {
  const fs::path installed = start.parent_path() / "share" / "modelpatch" / "demo";
  std::error_code ignored;
  if (fs::is_directory(installed, ignored)) return installed;
  for (fs::path directory = start; directory.has_relative_path(); directory = directory.parent_path()) {
    if (fs::is_directory(directory / "deploy" / "demo", ignored)) return directory / "deploy" / "demo";
  }
  return fs::path("deploy") / "demo";
}

}  // namespace

void FillDemoPaths(DemoOptions& options) {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path directory = error ? fs::path(".") : program.parent_path();
  if (options.server_binary.empty()) options.server_binary = (directory / "modelpatch-server").string();
  const fs::path demo = FindDemoDirectory(directory);
  if (options.model_directory.empty()) options.model_directory = (demo / "model").string();
  if (options.images_directory.empty()) options.images_directory = (demo / "images").string();
}

}  // namespace modelpatch::client
