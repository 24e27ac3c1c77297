#include "core/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace modelpatch::base {
namespace {

// A file descriptor closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

absl::Status CheckRegular(int descriptor, const std::string& path, uint64_t* size) {
  struct stat info {};
  if (fstat(descriptor, &info) != 0) return ErrnoError(errno, fmt::format("cannot inspect '{}'", path));
  if (!S_ISREG(info.st_mode)) {
    return InvalidArgument("NOT_A_REGULAR_FILE",
                           fmt::format("'{}' is not a regular file; give a path to a file", path));
  }
  *size = static_cast<uint64_t>(info.st_size);
  return absl::OkStatus();
}

// O_NONBLOCK: opening a pipe without a writer must fail the check above, not wait.
int OpenForReading(const std::string& path) { return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }

absl::Status SyncPath(const std::string& path, int flags) {
  const Descriptor descriptor(open(path.c_str(), flags | O_CLOEXEC));
  if (descriptor.get() < 0) return ErrnoError(errno, fmt::format("cannot open '{}'", path));
  if (fsync(descriptor.get()) != 0) return ErrnoError(errno, fmt::format("cannot sync '{}'", path));
  return absl::OkStatus();
}

absl::Status FromErrorCode(const std::error_code& code, std::string_view what) {
  return code ? ErrnoError(code.value(), what) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  const Descriptor descriptor(OpenForReading(path));
  if (descriptor.get() < 0) return ErrnoError(errno, fmt::format("cannot open '{}'", path));
  uint64_t size = 0;
  MP_RETURN_IF_ERROR(CheckRegular(descriptor.get(), path, &size));
  MappedFile file;
  if (size == 0) return file;
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor.get(), 0);
  if (data == MAP_FAILED) return ErrnoError(errno, fmt::format("cannot map '{}'", path));
  file.data_ = data;
  file.size_ = size;
  return file;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, size_);
}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t maximum_size) {
  const Descriptor descriptor(OpenForReading(path));
  if (descriptor.get() < 0) return ErrnoError(errno, fmt::format("cannot open '{}'", path));
  uint64_t size = 0;
  MP_RETURN_IF_ERROR(CheckRegular(descriptor.get(), path, &size));
  if (size > maximum_size) {
    return InvalidArgument("FILE_TOO_LARGE",
                           fmt::format("'{}' has {} bytes; at most {} are allowed", path, size, maximum_size));
  }
  std::string content(size, '\0');
  size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t count = read(descriptor.get(), content.data() + filled, content.size() - filled);
    if (count < 0) {
      if (errno == EINTR) continue;
      return ErrnoError(errno, fmt::format("cannot read '{}'", path));
    }
    if (count == 0) break;
    filled += static_cast<size_t>(count);
  }
  content.resize(filled);
  return content;
}

absl::StatusOr<AtomicFile> AtomicFile::Create(const std::string& path) {
  AtomicFile file;
  file.path_ = path;
  const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  file.descriptor_ = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file.descriptor_ < 0) return ErrnoError(errno, fmt::format("cannot create '{}'", temporary));
  file.temporary_ = temporary;
  return file;
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

absl::Status AtomicFile::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return ErrnoError(errno, fmt::format("cannot write '{}'", temporary_));
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::Commit() {
  if (fsync(descriptor_) != 0) return ErrnoError(errno, fmt::format("cannot sync '{}'", temporary_));
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    return ErrnoError(errno, fmt::format("cannot rename '{}' to '{}'", temporary_, path_));
  }
  temporary_.clear();
  const std::string parent = std::filesystem::path(path_).parent_path().string();
  return SyncDirectory(parent.empty() ? "." : parent);
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view content) {
  MP_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  MP_RETURN_IF_ERROR(file.Append(content));
  return file.Commit();
}

absl::Status SyncDirectory(const std::string& path) { return SyncPath(path, O_RDONLY | O_DIRECTORY); }

absl::Status SyncFile(const std::string& path) { return SyncPath(path, O_RDONLY); }

absl::Status CreateDirectories(const std::string& path) {
  std::filesystem::path built;
  for (const auto& part : std::filesystem::path(path)) {
    built /= part;
    if (mkdir(built.c_str(), 0700) != 0 && errno != EEXIST) {
      return ErrnoError(errno, fmt::format("cannot create directory '{}'", built.string()));
    }
  }
  std::error_code code;
  if (!std::filesystem::is_directory(path, code))
    return ErrnoError(ENOTDIR, fmt::format("'{}' is not a directory", path));
  return absl::OkStatus();
}

absl::Status RemoveAll(const std::string& path) {
  std::error_code code;
  std::filesystem::remove_all(path, code);
  return FromErrorCode(code, fmt::format("cannot remove '{}'", path));
}

}  // namespace modelpatch::base
