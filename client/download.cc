#include "client/download.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/status_macros.h"

namespace modelpatch::client {
namespace {

namespace fs = std::filesystem;

absl::Status CannotWrite(const std::string& path) {
  return absl::FailedPreconditionError(absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
}

absl::Status Unexpected(const std::string& what) {
  return absl::DataLossError(absl::StrCat("the server sent ", what, "; try again"));
}

}  // namespace

Download::Download(std::string directory, TransferProgress progress)
    : directory_(std::move(directory)), progress_(std::move(progress)) {}

Download::~Download() {
  std::error_code ignored;
  if (!partial_.empty()) fs::remove_all(partial_, ignored);
}

absl::Status Download::Add(const v1::DownloadModelResponse& message) {
  if (message.has_start() != partial_.empty()) return Unexpected("its messages in another order");
  switch (message.content_case()) {
    case v1::DownloadModelResponse::kStart:
      return Begin(message.start());
    case v1::DownloadModelResponse::kFile:
      return BeginFile(message.file());
    case v1::DownloadModelResponse::kData:
      if (digest_ == nullptr) return Unexpected("data of no file");
      digest_->Update(message.data());
      if (!out_.write(message.data().data(), static_cast<std::streamsize>(message.data().size()))) {
        return CannotWrite(partial_);
      }
      file_bytes_ += static_cast<int64_t>(message.data().size());
      done_bytes_ += static_cast<int64_t>(message.data().size());
      if (progress_) progress_(done_bytes_, start_.size_bytes());
      return absl::OkStatus();
    case v1::DownloadModelResponse::kFileEnd:
      return EndFile(message.file_end());
    case v1::DownloadModelResponse::CONTENT_NOT_SET:
      break;
  }
  return Unexpected("a message that this version does not know");
}

absl::Status Download::Begin(const v1::DownloadStart& start) {
  std::error_code error;
  if (fs::symlink_status(directory_, error).type() != fs::file_type::not_found) {
    return absl::AlreadyExistsError(absl::StrCat("there is a ", directory_, " already; give a new directory"));
  }
  std::string pattern = directory_;
  while (pattern.size() > 1 && pattern.back() == '/') pattern.pop_back();
  pattern += ".partial-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) return CannotWrite(pattern);
  partial_ = pattern;
  chmod(partial_.c_str(), 0755);
  start_ = start;
  if (progress_) progress_(0, start_.size_bytes());
  return absl::OkStatus();
}

absl::Status Download::BeginFile(const v1::DownloadFile& file) {
  if (digest_ != nullptr) return Unexpected("a file within another");
  // It names a place on this machine: nothing but a plain name will do.
  if (file.path().empty() || file.path() == "." || file.path() == ".." || file.path().find('/') != std::string::npos ||
      file.path().find('\0') != std::string::npos) {
    return Unexpected("a file that has no plain name");
  }
  const std::string path = absl::StrCat(partial_, "/", file.path());
  out_ = std::ofstream(path, std::ios::binary | std::ios::trunc);
  if (!out_) return CannotWrite(path);
  file_ = file;
  file_bytes_ = 0;
  digest_ = std::make_unique<FileDigest>();
  return absl::OkStatus();
}

absl::Status Download::EndFile(const v1::DownloadFileEnd& end) {
  if (digest_ == nullptr) return Unexpected("the end of no file");
  out_.close();
  if (!out_) return CannotWrite(absl::StrCat(partial_, "/", file_.path()));
  const std::string digest = digest_->Finish();
  digest_.reset();
  if (digest != end.sha256() || file_bytes_ != file_.size_bytes()) {
    return Unexpected(absl::StrCat(file_.path(), " otherwise than it arrived here"));
  }
  ++files_;
  return absl::OkStatus();
}

absl::StatusOr<v1::DownloadStart> Download::Commit() {
  if (partial_.empty() || digest_ != nullptr || files_ != start_.file_count()) return Unexpected("only a part");
  std::error_code error;
  fs::rename(partial_, directory_, error);
  if (error) return absl::FailedPreconditionError(absl::StrCat("cannot make ", directory_, ": ", error.message()));
  partial_.clear();
  return start_;
}

}  // namespace modelpatch::client
