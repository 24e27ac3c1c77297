#include "core/serve/model_cache.h"

#include <utility>

#include "core/model/model_loader.h"

namespace modelpatch::serve {

ModelCache::ModelCache(int64_t maximum_bytes, tensor::Device device) : device_(device), cache_(maximum_bytes) {}

absl::StatusOr<std::shared_ptr<const model::ClipModel>> ModelCache::Get(const std::string& directory) {
  using Cache = SingleFlightCache<model::ClipModel>;
  return cache_.Get(directory, [&](const base::CancellationToken&) -> absl::StatusOr<Cache::Built> {
    MP_ASSIGN_OR_RETURN(auto model, model::LoadModel(directory, device_, base::CancellationToken()));
    const int64_t bytes = model->image_weights.bytes() + model->text_weights.bytes();
    return Cache::Built{std::move(model), bytes};
  });
}

bool ModelCache::Holds(const std::string& digest) {
  return cache_.Contains([&](const model::ClipModel& model) { return model.digest == digest; });
}

void ModelCache::Evict(const std::string& directory) { cache_.EvictPrefix(directory); }

}  // namespace modelpatch::serve
