// BlobStore: checkpoints' weights on disk, named by the SHA-256 of layout and data.
//
// A blob is `<digest>.safetensors`: fp32, written to a temporary name, fsynced, renamed; verified on read. Immutable
// once there; its file's time says when it was last put. Thread safety: thread-safe, also between processes (workers
// put, the server gets). Who puts a blob and then records it, in the server, holds mutex() meanwhile, so that it is not
// removed in between; what workers put is spared by its time.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/tensor/weight_set.h"

namespace modelpatch::store {

class BlobStore {
 public:
  explicit BlobStore(std::string directory);

  base::Mutex& mutex() const MP_THREAD_ATTRIBUTE(lock_returned(mutex_)) { return mutex_; }

  // Stores `weights` and returns their digest; the same weights are stored once. `metadata` (lineage, for people who
  // open the file) goes into the file's header and is not part of the digest. RESOURCE_EXHAUSTED (DISK_FULL).
  absl::StatusOr<std::string> Put(const tensor::WeightSet& weights,
                                  const std::map<std::string, std::string>& metadata) const;

  // NOT_FOUND (BLOB_NOT_FOUND); DATA_LOSS (BLOB_CORRUPT) if the content is not what the name says.
  absl::StatusOr<tensor::WeightSet> Get(const std::string& digest,
                                        std::shared_ptr<const tensor::WeightLayout> layout) const;

  // Removes the blobs that are not in `used`, and what writers that died have left, unless it was put or written at
  // `before` or later. Returns the names of the files that are gone.
  absl::StatusOr<std::vector<std::string>> RemoveUnused(const std::set<std::string>& used, base::WallTime before) const
      MP_REQUIRES(mutex_);

  const std::string& directory() const { return directory_; }

 private:
  std::string Path(const std::string& digest) const;
  const std::string directory_;
  mutable base::Mutex mutex_;
};

}  // namespace modelpatch::store
