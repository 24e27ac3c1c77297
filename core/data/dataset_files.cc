#include "core/data/dataset_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/text.h"

namespace modelpatch::data {
namespace {

namespace fs = std::filesystem;

}  // namespace

absl::StatusOr<bool> IsDirectory(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error || !fs::exists(status))
    return base::ErrnoError(error ? error.value() : ENOENT, fmt::format("cannot open '{}'", path));
  return fs::is_directory(status);
}

absl::StatusOr<DirectoryListing> ListDirectory(const std::string& directory) {
  DirectoryListing listing;
  std::error_code error;
  fs::directory_iterator iterator(directory, error);
  if (error) return base::ErrnoError(error.value(), fmt::format("cannot list '{}'", directory));
  for (const fs::directory_iterator end; iterator != end; iterator.increment(error)) {
    std::string name = iterator->path().filename().string();
    if (name.starts_with('.')) continue;
    std::error_code ignored;  // a dangling link is not a directory; opening it will say what is wrong
    (iterator->is_directory(ignored) ? listing.directories : listing.files).push_back(std::move(name));
  }
  if (error) return base::ErrnoError(error.value(), fmt::format("cannot list '{}'", directory));
  std::sort(listing.directories.begin(), listing.directories.end());
  std::sort(listing.files.begin(), listing.files.end());
  return listing;
}

absl::Status CheckStaysInside(const std::string& directory, const std::string& path) {
  std::error_code error;
  const fs::path root = fs::canonical(directory, error);
  if (error) return base::ErrnoError(error.value(), fmt::format("cannot resolve '{}'", directory));
  const fs::path target = fs::canonical(path, error);
  if (error) return base::ErrnoError(error.value(), fmt::format("cannot resolve '{}'", path));
  if (std::mismatch(root.begin(), root.end(), target.begin(), target.end()).first == root.end())
    return absl::OkStatus();
  return base::PermissionDenied("PATH_OUTSIDE_ROOT",
                                fmt::format("{} is a link that leads out of {}; put the file itself there",
                                            base::Printable(path), base::Printable(directory)));
}

absl::StatusOr<std::optional<std::string>> FindMaybeGzip(const std::string& directory, std::string_view name) {
  for (const std::string_view suffix : {"", ".gz"}) {
    std::string path = fmt::format("{}/{}{}", directory, name, suffix);
    std::error_code ignored;
    // An archive that was unpacked into a directory of its own name may stand beside the file that is meant.
    if (!fs::exists(path, ignored) || fs::is_directory(path, ignored)) continue;
    MP_RETURN_IF_ERROR(CheckStaysInside(directory, path));
    return std::optional<std::string>(std::move(path));
  }
  return std::optional<std::string>();
}

}  // namespace modelpatch::data
