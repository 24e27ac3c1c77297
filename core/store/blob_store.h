// BlobStore: checkpoints' weights on disk, named by the SHA-256 of layout and data.
//
// A blob is `<digest>.safetensors`: fp32, written to a temporary name, fsynced, renamed; verified on read. Immutable
// once there. Thread safety: thread-safe, also between processes (workers put, the server gets).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/tensor/weight_set.h"

namespace modelpatch::store {

class BlobStore {
 public:
  explicit BlobStore(std::string directory);

  // Stores `weights` and returns their digest; the same weights are stored once. `metadata` (lineage, for people who
  // open the file) goes into the file's header and is not part of the digest. RESOURCE_EXHAUSTED (DISK_FULL).
  absl::StatusOr<std::string> Put(const tensor::WeightSet& weights,
                                  const std::map<std::string, std::string>& metadata) const;

  // NOT_FOUND (BLOB_NOT_FOUND); DATA_LOSS (BLOB_CORRUPT) if the content is not what the name says.
  absl::StatusOr<tensor::WeightSet> Get(const std::string& digest,
                                        std::shared_ptr<const tensor::WeightLayout> layout) const;

  absl::Status Delete(const std::string& digest) const;
  const std::string& directory() const { return directory_; }

 private:
  std::string Path(const std::string& digest) const;
  const std::string directory_;
};

}  // namespace modelpatch::store
