// ModelCache: the models that are resident, each loaded once for all who wait.
//
// Thread safety: thread-safe. Get blocks while a value is made: not for gRPC threads.
#pragma once

#include <memory>
#include <string>

#include "core/model/clip_model.h"
#include "core/serve/single_flight_cache.h"

namespace modelpatch::serve {

// Models by directory.
class ModelCache {
 public:
  ModelCache(int64_t maximum_bytes, tensor::Device device);

  absl::StatusOr<std::shared_ptr<const model::ClipModel>> Get(const std::string& directory);
  // The model if it is resident, else null.
  std::shared_ptr<const model::ClipModel> Find(const std::string& directory) { return cache_.Find(directory); }
  // Whether a model with this digest is resident, under whatever directory.
  bool Holds(const std::string& digest);
  void Evict(const std::string& directory);

 private:
  const tensor::Device device_;
  SingleFlightCache<model::ClipModel> cache_;
};

}  // namespace modelpatch::serve
