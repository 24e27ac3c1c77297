// Download: the messages of one DownloadModel call, written to a new directory as they come.
//
// Belongs to one thread. The files lie beside the directory until Commit; what was not committed is removed.
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/file_digest.h"
#include "client/transfer_client.h"

namespace modelpatch::client {

class Download {
 public:
  Download(std::string directory, TransferProgress progress);
  ~Download();
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;

  // DATA_LOSS if it is not what the server said, ALREADY_EXISTS if there is something at the directory.
  absl::Status Add(const v1::DownloadModelResponse& message);
  // The directory is there when it returns OK. DATA_LOSS if something is missing.
  absl::StatusOr<v1::DownloadStart> Commit();

 private:
  absl::Status Begin(const v1::DownloadStart& start);
  absl::Status BeginFile(const v1::DownloadFile& file);
  absl::Status EndFile(const v1::DownloadFileEnd& end);

  const std::string directory_;
  const TransferProgress progress_;
  // Empty until the first message, and after Commit.
  std::string partial_;
  v1::DownloadStart start_;
  v1::DownloadFile file_;
  std::ofstream out_;
  std::unique_ptr<FileDigest> digest_;
  int64_t file_bytes_ = 0;
  int64_t done_bytes_ = 0;
  int files_ = 0;
};

}  // namespace modelpatch::client
