// MixtureCache: materialised mixtures up to a byte budget, each interpolated once for all who wait.
//
// Thread safety: thread-safe. Get blocks while a value is made: not for gRPC threads.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "core/model/clip_model.h"
#include "core/patch/mixture.h"
#include "core/serve/single_flight_cache.h"
#include "core/store/blob_store.h"

namespace modelpatch::serve {

// Materialised mixtures of all models, by model and canonical terms.
class MixtureCache {
 public:
  // `blobs` outlives the cache.
  MixtureCache(int64_t maximum_bytes, const store::BlobStore& blobs);

  // θ of the mixture, interpolated once for all who wait. θ_zs itself is the model's own copy and costs nothing.
  absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> Get(const std::shared_ptr<const model::ClipModel>& model,
                                                               std::span<const patch::MixtureTerm> canonical_terms);
  // The mixture if it is there.
  std::shared_ptr<const tensor::WeightSet> Find(const std::shared_ptr<const model::ClipModel>& model,
                                                std::span<const patch::MixtureTerm> canonical_terms);
  // The weights of one blob on the model's device: the mixture of that blob alone.
  absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> GetBlob(const std::shared_ptr<const model::ClipModel>& model,
                                                                   const std::string& blob);
  // Forgets what was made from a model.
  void Evict(const model::ClipModel& model);

  SingleFlightCache<tensor::WeightSet>::Statistics statistics() { return cache_.statistics(); }

 private:
  const store::BlobStore& blobs_;
  SingleFlightCache<tensor::WeightSet> cache_;
};

}  // namespace modelpatch::serve
