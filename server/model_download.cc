#include "server/model_download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace modelpatch::server {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPieceBytes = size_t{1} << 20;

}  // namespace

absl::StatusOr<std::shared_ptr<ModelDownload>> ModelDownload::Open(std::unique_ptr<StagedDirectory> staged,
                                                                   const std::string& directory,
                                                                   v1::DownloadStart start) {
  std::shared_ptr<ModelDownload> download(new ModelDownload(std::move(staged)));
  download->directory_ = directory;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    v1::DownloadFile file;
    file.set_path(it->path().filename().string());
    file.set_size_bytes(static_cast<int64_t>(it->file_size(error)));
    start.set_size_bytes(start.size_bytes() + file.size_bytes());
    download->files_.push_back(std::move(file));
  }
  if (error) return base::ErrnoError(error.value(), "cannot list the exported files");
  std::sort(download->files_.begin(), download->files_.end(),
            [](const v1::DownloadFile& a, const v1::DownloadFile& b) { return a.path() < b.path(); });
  start.set_file_count(static_cast<int32_t>(download->files_.size()));
  download->start_ = std::move(start);
  return download;
}

ModelDownload::~ModelDownload() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::StatusOr<std::optional<v1::DownloadModelResponse>> ModelDownload::Next() {
  if (start_.has_value()) {
    v1::DownloadModelResponse response;
    *response.mutable_start() = *std::move(start_);
    start_.reset();
    return response;
  }
  if (descriptor_ >= 0) return NextPiece();
  if (next_file_ < files_.size()) return BeginFile();
  return std::nullopt;
}

absl::StatusOr<v1::DownloadModelResponse> ModelDownload::BeginFile() {
  const v1::DownloadFile& file = files_[next_file_++];
  descriptor_ = open((directory_ + "/" + file.path()).c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) return base::ErrnoError(errno, fmt::format("cannot read '{}'", file.path()));
  digest_ = base::Sha256();
  v1::DownloadModelResponse response;
  *response.mutable_file() = file;
  return response;
}

absl::StatusOr<v1::DownloadModelResponse> ModelDownload::NextPiece() {
  v1::DownloadModelResponse response;
  std::string& data = *response.mutable_data();
  data.resize(kPieceBytes);
  ssize_t count = 0;
  do {
    count = read(descriptor_, data.data(), data.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) return base::ErrnoError(errno, "cannot read an exported file");
  if (count > 0) {
    data.resize(static_cast<size_t>(count));
    digest_.Update(data);
    return response;
  }
  close(descriptor_);
  descriptor_ = -1;
  response.mutable_file_end()->set_sha256(digest_.Finish());
  return response;
}

}  // namespace modelpatch::server
