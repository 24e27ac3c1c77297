// MixtureCache: materialised mixtures up to a byte budget, each interpolated once for all who wait.
//
// Thread safety: thread-safe. Get blocks while a value is made: not for gRPC threads.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/model/clip_model.h"
#include "core/model/encoder_weights.h"
#include "core/patch/mixture.h"
#include "core/serve/forward_request.h"
#include "core/serve/single_flight_cache.h"
#include "core/store/blob_store.h"

namespace modelpatch::serve {

// Materialised mixtures of all models, by model and canonical terms, rounded once to the precision of the server.
class MixtureCache {
 public:
  // `blobs` and `clock` outlive the cache.
  MixtureCache(int64_t maximum_bytes, model::Precision precision, const store::BlobStore& blobs,
               const base::Clock& clock);

  // θ of the mixture, interpolated once for all who wait. At fp32 θ_zs itself is the model's own copy and costs
  // nothing.
  absl::StatusOr<std::shared_ptr<const model::EncoderWeights>> Get(const std::shared_ptr<const model::ClipModel>& model,
                                                                   std::span<const patch::MixtureTerm> canonical_terms);
  // The mixture if it is there.
  std::shared_ptr<const model::EncoderWeights> Find(const std::shared_ptr<const model::ClipModel>& model,
                                                    std::span<const patch::MixtureTerm> canonical_terms);
  // What the mixture is a sum of, to be mixed within a batch: θ_zs and the checkpoints, in the precision of the server.
  // Loads those that are not there; interpolates nothing.
  absl::StatusOr<std::vector<MixtureWeights::Source>> GetSources(const std::shared_ptr<const model::ClipModel>& model,
                                                                 std::span<const patch::MixtureTerm> canonical_terms);
  // The same if all are there, else nothing.
  std::vector<MixtureWeights::Source> FindSources(const std::shared_ptr<const model::ClipModel>& model,
                                                  std::span<const patch::MixtureTerm> canonical_terms);

  // Keeps these (see KeyOf) whatever else is asked for, and what was pinned before no longer.
  void SetPinned(std::set<std::string> keys) { cache_.SetPinned(std::move(keys)); }
  // Whether so many towers can be resident at once.
  bool CanHold(const model::ClipModel& model, size_t towers) const;
  // How long it takes to materialise such a mixture, as far as it is known from those that were.
  double MaterialiseSeconds(const model::ClipModel& model, size_t terms) const;
  // The name of a mixture in this cache.
  std::string KeyOf(const model::ClipModel& model, std::span<const patch::MixtureTerm> canonical_terms) const;

  // The fp32 weights of one blob on the model's device, to mix.
  absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> GetBlob(const std::shared_ptr<const model::ClipModel>& model,
                                                                   const std::string& blob);
  // Forgets what was made from a model.
  void Evict(const model::ClipModel& model);
  // Forgets what was made from a blob.
  void EvictBlob(const std::string& blob) { cache_.EvictContaining(blob); }

  // What the cache holds: weights in fp32, or what was rounded from them.
  struct Entry {
    std::shared_ptr<const tensor::WeightSet> exact;
    std::shared_ptr<const model::EncoderWeights> encoder;
  };
  SingleFlightCache<Entry>::Statistics statistics() { return cache_.statistics(); }

 private:
  absl::StatusOr<std::shared_ptr<const Entry>> GetExact(const std::shared_ptr<const model::ClipModel>& model,
                                                        const std::string& blob);
  // The mixture in fp32, made anew unless it is θ_zs or one blob.
  absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> Mix(const std::shared_ptr<const model::ClipModel>& model,
                                                               std::span<const patch::MixtureTerm> canonical_terms);

  const int64_t maximum_bytes_;
  const model::Precision precision_;
  const store::BlobStore& blobs_;
  const base::Clock& clock_;
  // Of a byte read or written while a mixture is materialised.
  std::atomic<double> seconds_per_byte_;
  SingleFlightCache<Entry> cache_;
};

}  // namespace modelpatch::serve
