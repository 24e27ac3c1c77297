#include "server/uploads/upload.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/text.h"

namespace modelpatch::server {
namespace {

absl::Status BadChunk(std::string_view reason, const std::string& message, std::string_view field) {
  return base::WithField(base::InvalidArgument(reason, message), field);
}

absl::Status WriteAt(int descriptor, std::string_view bytes, int64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(descriptor, bytes.data(), bytes.size(), offset);
    if (written < 0) {
      if (errno == EINTR) continue;
      return base::ErrnoError(errno, fmt::format("cannot write '{}'", base::Printable(path)));
    }
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += written;
  }
  return absl::OkStatus();
}

}  // namespace

struct Upload::OpenFile {
  OpenFile(size_t the_index, int the_descriptor) : index(the_index), descriptor(the_descriptor) {}
  ~OpenFile() { close(descriptor); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  const size_t index;
  const int descriptor;
};

Upload::Upload(UploadManifest manifest, std::unique_ptr<StagedDirectory> directory)
    : manifest_(std::move(manifest)), directory_(std::move(directory)), received_(manifest_.files.size(), 0) {}

Upload::~Upload() = default;

absl::Status Upload::Open(size_t index, bool is_new) {
  if (open_ != nullptr && open_->index == index) return absl::OkStatus();
  open_.reset();
  const std::string& path = manifest_.files[index].path;
  const std::string full = directory() + "/" + path;
  if (is_new) MP_RETURN_IF_ERROR(base::CreateDirectories(full.substr(0, full.rfind('/'))));
  const int descriptor = open(full.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return base::ErrnoError(errno, fmt::format("cannot write '{}'", base::Printable(path)));
  open_ = std::make_unique<OpenFile>(index, descriptor);
  return absl::OkStatus();
}

absl::Status Upload::Write(const v1::UploadChunk& chunk) {
  if (chunk.file_index() < 0 || static_cast<size_t>(chunk.file_index()) >= manifest_.files.size()) {
    return BadChunk("BAD_FILE_INDEX",
                    fmt::format("the manifest has {} files, and no file {}; count from 0", manifest_.files.size(),
                                chunk.file_index()),
                    "file_index");
  }
  const auto index = static_cast<size_t>(chunk.file_index());
  const UploadManifest::File& file = manifest_.files[index];
  int64_t received = 0;
  {
    base::MutexLock lock(mutex_);
    received = received_[index];
  }
  if (chunk.offset_bytes() != received) {
    return BadChunk("WRONG_OFFSET",
                    fmt::format("a chunk of '{}' begins at {}, but {} bytes of it are there; go on from there",
                                base::Printable(file.path), chunk.offset_bytes(), received),
                    "offset_bytes");
  }
  const auto size = static_cast<int64_t>(chunk.data().size());
  if (size > file.bytes - received) {
    return BadChunk("FILE_TOO_LONG",
                    fmt::format("'{}' has {} bytes by its manifest, and {} were sent", base::Printable(file.path),
                                file.bytes, received + size),
                    "data");
  }
  if (size == 0) return absl::OkStatus();
  MP_RETURN_IF_ERROR(Open(index, received == 0));
  MP_RETURN_IF_ERROR(WriteAt(open_->descriptor, chunk.data(), received, file.path));
  base::MutexLock lock(mutex_);
  received_[index] += size;
  return absl::OkStatus();
}

absl::Status Upload::CheckComplete(const base::CancellationToken& cancellation) {
  open_.reset();
  const std::vector<int64_t> have = received();
  for (size_t i = 0; i < manifest_.files.size(); ++i) {
    const UploadManifest::File& file = manifest_.files[i];
    if (have[i] == file.bytes) continue;
    return base::FailedPrecondition(
        "UPLOAD_INCOMPLETE",
        fmt::format("the upload ended when '{}' had {} of {} bytes, or with a message that cannot be parsed",
                    base::Printable(file.path), have[i], file.bytes));
  }
  for (size_t i = 0; i < manifest_.files.size(); ++i) {
    MP_RETURN_IF_ERROR(cancellation.Check());
    const UploadManifest::File& file = manifest_.files[i];
    if (file.bytes == 0) MP_RETURN_IF_ERROR(Open(i, /*is_new=*/true));
    MP_ASSIGN_OR_RETURN(const std::string digest, base::Sha256File(directory() + "/" + file.path));
    if (digest == file.sha256) continue;
    return base::WithField(
        base::InvalidArgument("WRONG_DIGEST", fmt::format("'{}' arrived with the SHA-256 {}, not {}; send it again",
                                                          base::Printable(file.path), digest, file.sha256)),
        fmt::format("files[{}].sha256", i));
  }
  open_.reset();
  return absl::OkStatus();
}

std::vector<int64_t> Upload::received() const {
  base::MutexLock lock(mutex_);
  return received_;
}

}  // namespace modelpatch::server
