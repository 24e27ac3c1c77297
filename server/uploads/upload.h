// Upload: the files of one manifest, as far as they have arrived, in a staged directory of their own.
//
// Thread safety: one call at a time writes and checks; `received` may be asked meanwhile. Blocks on
// the disk: not for gRPC threads. The directory goes with it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/base/mutex.h"
#include "core/base/status.h"
#include "server/content_directory.h"
#include "server/uploads/upload_manifest.h"

namespace modelpatch::server {

class Upload {
 public:
  Upload(UploadManifest manifest, std::unique_ptr<StagedDirectory> directory);
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  const UploadManifest& manifest() const { return manifest_; }
  // Where the files lie under the manifest's paths.
  const std::string& directory() const { return directory_->path(); }

  // INVALID_ARGUMENT with the field's path in the chunk: BAD_FILE_INDEX, WRONG_OFFSET, FILE_TOO_LONG;
  // RESOURCE_EXHAUSTED (DISK_FULL).
  absl::Status Write(const v1::UploadChunk& chunk);

  // OK if everything is there and right. FAILED_PRECONDITION (UPLOAD_INCOMPLETE), INVALID_ARGUMENT (WRONG_DIGEST) with
  // the field `files[i].sha256`, CANCELLED.
  absl::Status CheckComplete(const base::CancellationToken& cancellation);

  // Of each file.
  std::vector<int64_t> received() const;

 private:
  // A file that is open for writing; one at a time.
  struct OpenFile;

  absl::Status Open(size_t index, bool is_new);

  const UploadManifest manifest_;
  const std::unique_ptr<StagedDirectory> directory_;
  std::unique_ptr<OpenFile> open_;

  mutable base::Mutex mutex_;
  std::vector<int64_t> received_ MP_GUARDED_BY(mutex_);
};

}  // namespace modelpatch::server
