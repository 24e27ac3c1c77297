// ModelDownload: the messages of a download: the files of an exported directory, a piece at a time.
//
// Belongs to one thread at a time. Owns the staged directory that the files lie in, which goes with it. Blocks on the
// disk.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/digest.h"
#include "core/base/status.h"
#include "modelpatch/v1/model_service.pb.h"
#include "server/content_directory.h"

namespace modelpatch::server {

class ModelDownload {
 public:
  // `directory` lies in `staged` and holds files alone, of which `start` is told here.
  static absl::StatusOr<std::shared_ptr<ModelDownload>> Open(std::unique_ptr<StagedDirectory> staged,
                                                             const std::string& directory, v1::DownloadStart start);
  ~ModelDownload();
  ModelDownload(const ModelDownload&) = delete;
  ModelDownload& operator=(const ModelDownload&) = delete;

  // Nothing at the end.
  absl::StatusOr<std::optional<v1::DownloadModelResponse>> Next();

 private:
  explicit ModelDownload(std::unique_ptr<StagedDirectory> staged) : staged_(std::move(staged)) {}

  absl::StatusOr<v1::DownloadModelResponse> BeginFile();
  absl::StatusOr<v1::DownloadModelResponse> NextPiece();

  const std::unique_ptr<StagedDirectory> staged_;
  std::string directory_;
  // By name.
  std::vector<v1::DownloadFile> files_;
  std::optional<v1::DownloadStart> start_;
  size_t next_file_ = 0;
  // Of the file that is being sent; negative between two.
  int descriptor_ = -1;
  base::Sha256 digest_;
};

}  // namespace modelpatch::server
