// UploadManifest: the files that a client is going to send, checked.
//
// A plain value; pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "modelpatch/v1/upload_service.pb.h"

namespace modelpatch::server {

// Invariants: paths are relative, stay below where they begin, and none is another one's directory; sizes add up to
// `bytes`, which does not overflow; digests are 64 lower-case hexadecimal digits.
struct UploadManifest {
  struct File {
    std::string path;
    int64_t bytes = 0;
    std::string sha256;
  };

  // Empty: the upload cannot be resumed.
  std::string upload_id;
  std::vector<File> files;
  int64_t bytes = 0;
  // Of all files: equal digests, equal files.
  std::string digest;
};

// INVALID_ARGUMENT with a field path: NO_FILES, TOO_MANY_FILES, BAD_UPLOAD_PATH, DUPLICATE_UPLOAD_PATH, BAD_FILE_SIZE,
// BAD_DIGEST, BAD_RESOURCE_ID.
absl::StatusOr<UploadManifest> CheckManifest(const v1::UploadManifest& message, int64_t maximum_files);

}  // namespace modelpatch::server
