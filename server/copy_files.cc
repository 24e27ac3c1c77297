#include "server/copy_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/file.h"

namespace modelpatch::server {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBufferBytes = size_t{1} << 20;
constexpr int64_t kMaximumFiles = 20'000'000;
// Far deeper than any data set; a directory that contains a link to itself ends here.
constexpr int kMaximumDepth = 16;

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
  const int value_;
};

absl::Status WriteAll(int descriptor, const char* data, size_t size, const std::string& path) {
  while (size > 0) {
    const ssize_t written = write(descriptor, data, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      return base::ErrnoError(errno, fmt::format("cannot write '{}'", path));
    }
    data += written;
    size -= static_cast<size_t>(written);
  }
  return absl::OkStatus();
}

struct OpenedFile {
  std::unique_ptr<const Descriptor> descriptor;
  uint64_t bytes = 0;
};

absl::StatusOr<OpenedFile> OpenRegularFile(const RootPaths& roots, const std::string& source) {
  MP_ASSIGN_OR_RETURN(const std::string resolved, roots.Resolve(source));
  // O_NONBLOCK: a pipe must fail the check below, not wait. O_NOFOLLOW: the path was resolved, it ends in no link.
  auto descriptor =
      std::make_unique<const Descriptor>(open(resolved.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (descriptor->get() < 0) return base::ErrnoError(errno, fmt::format("cannot open '{}'", source));
  struct stat info {};
  if (fstat(descriptor->get(), &info) != 0) {
    return base::ErrnoError(errno, fmt::format("cannot inspect '{}'", source));
  }
  if (!S_ISREG(info.st_mode)) {
    return base::InvalidArgument("NOT_A_REGULAR_FILE", fmt::format("'{}' is not a regular file", source));
  }
  return OpenedFile{std::move(descriptor), static_cast<uint64_t>(info.st_size)};
}

// Bytes read, 0 at the end.
absl::StatusOr<size_t> ReadSome(const OpenedFile& file, char* buffer, size_t size, const std::string& source) {
  while (true) {
    const ssize_t count = read(file.descriptor->get(), buffer, size);
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EINTR) return base::ErrnoError(errno, fmt::format("cannot read '{}'", source));
  }
}

absl::Status TooLarge(const std::string& source, uint64_t bytes, uint64_t maximum_bytes) {
  return base::InvalidArgument("FILE_TOO_LARGE",
                               fmt::format("'{}' has {} bytes; at most {} are allowed", source, bytes, maximum_bytes));
}

struct Copying {
  const RootPaths& roots;
  const CopyRules& rules;
  const base::CancellationToken& cancellation;
  int64_t files = 0;
};

absl::Status CopyLevel(Copying& copying, const std::string& source, const std::string& destination, int depth) {
  if (depth > kMaximumDepth) {
    return base::InvalidArgument("DIRECTORY_TOO_DEEP",
                                 fmt::format("'{}' lies more than {} directories deep", source, kMaximumDepth));
  }
  MP_RETURN_IF_ERROR(base::CreateDirectories(destination));
  std::error_code error;
  for (fs::directory_iterator it(source, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.empty() || name[0] == '.') continue;
    MP_RETURN_IF_ERROR(copying.cancellation.Check());
    std::error_code ignored;
    const fs::file_status status = it->status(ignored);
    if (fs::is_directory(status)) {
      if (!copying.rules.recursive) continue;
      MP_ASSIGN_OR_RETURN(const std::string inner, copying.roots.Resolve(it->path().string()));
      MP_RETURN_IF_ERROR(CopyLevel(copying, inner, destination + "/" + name, depth + 1));
    } else if (copying.rules.wanted(name)) {
      if (++copying.files > kMaximumFiles) {
        return base::InvalidArgument("TOO_MANY_FILES", fmt::format("there are more than {} files", kMaximumFiles));
      }
      MP_RETURN_IF_ERROR(CopyFile(copying.roots, it->path().string(), destination + "/" + name, copying.cancellation));
    }
  }
  return error ? base::ErrnoError(error.value(), fmt::format("cannot list '{}'", source)) : absl::OkStatus();
}

}  // namespace

absl::Status CopyFile(const RootPaths& roots, const std::string& source, const std::string& destination,
                      const base::CancellationToken& cancellation, uint64_t maximum_bytes) {
  MP_ASSIGN_OR_RETURN(const OpenedFile in, OpenRegularFile(roots, source));
  if (in.bytes > maximum_bytes) return TooLarge(source, in.bytes, maximum_bytes);
  const Descriptor out(open(destination.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (out.get() < 0) return base::ErrnoError(errno, fmt::format("cannot create '{}'", destination));
  std::vector<char> buffer(kBufferBytes);
  for (uint64_t copied = 0;;) {
    MP_RETURN_IF_ERROR(cancellation.Check());
    MP_ASSIGN_OR_RETURN(const size_t count, ReadSome(in, buffer.data(), buffer.size(), source));
    if (count == 0) return absl::OkStatus();
    copied += count;  // the file may be growing
    if (copied > maximum_bytes) return TooLarge(source, copied, maximum_bytes);
    MP_RETURN_IF_ERROR(WriteAll(out.get(), buffer.data(), count, destination));
  }
}

absl::StatusOr<FileBeginning> ReadBeginning(const RootPaths& roots, const std::string& source, uint64_t count) {
  MP_ASSIGN_OR_RETURN(const OpenedFile in, OpenRegularFile(roots, source));
  FileBeginning beginning{std::string(std::min(count, in.bytes), '\0'), in.bytes};
  size_t filled = 0;
  while (filled < beginning.bytes.size()) {
    MP_ASSIGN_OR_RETURN(const size_t more,
                        ReadSome(in, beginning.bytes.data() + filled, beginning.bytes.size() - filled, source));
    if (more == 0) break;
    filled += more;
  }
  beginning.bytes.resize(filled);
  return beginning;
}

absl::Status CopyDirectory(const RootPaths& roots, const std::string& source, const std::string& destination,
                           const CopyRules& rules, const base::CancellationToken& cancellation) {
  MP_ASSIGN_OR_RETURN(const std::string resolved, roots.Resolve(source));
  Copying copying{roots, rules, cancellation};
  return CopyLevel(copying, resolved, destination, 0);
}

}  // namespace modelpatch::server
