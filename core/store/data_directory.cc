#include "core/store/data_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/file.h"

namespace modelpatch::store {
namespace {

std::string LockHolder(int descriptor) {
  char text[32];
  const ssize_t size = pread(descriptor, text, sizeof(text), 0);
  std::string holder;
  for (ssize_t i = 0; i < size && std::isdigit(static_cast<unsigned char>(text[i])); ++i) holder += text[i];
  return holder.empty() ? "unknown" : holder;
}

absl::Status RecordHolder(int descriptor, const std::string& path) {
  const std::string text = fmt::format("{}\n", getpid());
  if (ftruncate(descriptor, 0) != 0 ||
      pwrite(descriptor, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return base::ErrnoError(errno, fmt::format("cannot write '{}'", path));
  }
  return absl::OkStatus();
}

absl::Status Empty(const std::string& path) {
  std::error_code code;
  for (std::filesystem::directory_iterator entry(path, code), end; !code && entry != end; entry.increment(code)) {
    MP_RETURN_IF_ERROR(base::RemoveAll(entry->path().string()));
  }
  return code ? base::ErrnoError(code.value(), fmt::format("cannot list '{}'", path)) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<DataDirectory> DataDirectory::Open(const std::string& path) {
  if (path.empty()) return base::InvalidArgument("NO_DATA_DIRECTORY", "the data directory is empty; give a path");
  std::error_code code;
  std::filesystem::path absolute = std::filesystem::absolute(path, code).lexically_normal();
  if (code) return base::ErrnoError(code.value(), fmt::format("cannot resolve '{}'", path));
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  DataDirectory directory;
  directory.path_ = absolute.string();
  MP_RETURN_IF_ERROR(base::CreateDirectories(directory.path_));

  const std::string lock_path = directory.path_ + "/lock";
  directory.lock_ = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (directory.lock_ < 0) return base::ErrnoError(errno, fmt::format("cannot open '{}'", lock_path));
  if (flock(directory.lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return base::ErrnoError(errno, fmt::format("cannot lock '{}'", lock_path));
    return base::FailedPrecondition(
        "DATA_DIRECTORY_IN_USE",
        fmt::format(
            "the data directory '{}' is in use by another server (process {}); stop it or give another directory",
            directory.path_, LockHolder(directory.lock_)));
  }
  MP_RETURN_IF_ERROR(RecordHolder(directory.lock_, lock_path));
  for (const std::string& part : {directory.models_path(), directory.tasks_path(), directory.blobs_path(),
                                  directory.jobs_path(), directory.staging_path()}) {
    MP_RETURN_IF_ERROR(base::CreateDirectories(part));
  }
  MP_RETURN_IF_ERROR(Empty(directory.staging_path()));
  return directory;
}

DataDirectory::~DataDirectory() {
  if (lock_ >= 0) close(lock_);
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept { *this = std::move(other); }

DataDirectory& DataDirectory::operator=(DataDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

}  // namespace modelpatch::store
