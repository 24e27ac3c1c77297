#include "server/content_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/file.h"

namespace modelpatch::server {
namespace {

// Everything written to the file system of `path` so far, in one go: a sync for each of thousands of files is slow.
absl::Status SyncFileSystem(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return base::ErrnoError(errno, fmt::format("cannot open '{}'", path));
  const int result = syncfs(descriptor);
  const int error = errno;
  close(descriptor);
  return result == 0 ? absl::OkStatus() : base::ErrnoError(error, fmt::format("cannot sync '{}'", path));
}

}  // namespace

StagedDirectory::~StagedDirectory() {
  if (!path_.empty()) (void)base::RemoveAll(path_);
}

ContentDirectory::ContentDirectory(std::string path, std::string staging_path)
    : path_(std::move(path)), staging_path_(std::move(staging_path)) {}

absl::StatusOr<std::unique_ptr<StagedDirectory>> MakeStagedDirectory(const std::string& staging_path) {
  std::string pattern = staging_path + "/XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr)
    return base::ErrnoError(errno, fmt::format("cannot make a directory in '{}'", staging_path));
  return std::make_unique<StagedDirectory>(std::move(pattern));
}

absl::StatusOr<std::unique_ptr<StagedDirectory>> ContentDirectory::Stage() const {
  return MakeStagedDirectory(staging_path_);
}

absl::Status ContentDirectory::Publish(StagedDirectory& staged, const std::string& key) {
  const std::string target = PathOf(key);
  if (access(target.c_str(), F_OK) == 0) return absl::OkStatus();
  MP_RETURN_IF_ERROR(SyncFileSystem(staged.path_));
  if (rename(staged.path_.c_str(), target.c_str()) != 0) {
    return base::ErrnoError(errno, fmt::format("cannot move '{}' to '{}'", staged.path_, target));
  }
  staged.path_.clear();
  return base::SyncDirectory(path_);
}

absl::Status ContentDirectory::Remove(const std::string& key) { return base::RemoveAll(PathOf(key)); }

absl::Status WithPathShownAs(const absl::Status& status, const std::string& from, const std::string& to) {
  if (status.ok() || from.empty()) return status;
  std::string message(status.message());
  for (size_t at = message.find(from); at != std::string::npos; at = message.find(from, at + to.size())) {
    message.replace(at, from.size(), to);
  }
  const absl::Status renamed = base::Error(status.code(), base::ReasonOf(status), message);
  const std::string field = base::FieldOf(status);
  return field.empty() ? renamed : base::WithField(renamed, field);
}

int64_t DirectoryBytes(const std::string& path) {
  std::error_code error;
  int64_t bytes = 0;
  for (std::filesystem::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) bytes += static_cast<int64_t>(it->file_size(ignored));
  }
  return bytes;
}

}  // namespace modelpatch::server
