// Files of this machine that are to be sent, and the paths that they have in an upload.
//
// Thread safety: pure functions, but for what the disk says.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client {

struct LocalFile {
  std::string local_path;
  // In the upload.
  std::string path;

  bool operator==(const LocalFile&) const = default;
};

// The files in the directory `path` that may make a model: configs, vocabularies and weights. Where there is one
// safetensors file of all weights, pickles are left out. INVALID_ARGUMENT if there is no such directory or file.
absl::StatusOr<std::vector<LocalFile>> FindModelFiles(const std::string& path);

// The files that the paths of `files` name on this machine, with the images that JSON lines name; the paths become
// those in the upload. INVALID_ARGUMENT if a path names nothing.
absl::StatusOr<std::vector<LocalFile>> FindTaskFiles(v1::TaskFiles& files);

}  // namespace modelpatch::client
