#include "core/serve/mixture_cache.h"

#include <fmt/format.h>

#include <utility>

#include "core/patch/interpolation.h"
#include "core/tensor/guard.h"

namespace modelpatch::serve {
namespace {

using Cache = SingleFlightCache<tensor::WeightSet>;

// Coefficients in hexadecimal floating point: two that differ in any bit are two mixtures.
std::string KeyOf(const model::ClipModel& model, std::span<const patch::MixtureTerm> terms) {
  std::string key = model.digest;
  for (const patch::MixtureTerm& term : terms) key += fmt::format("|{}={:a}", term.blob, term.coefficient);
  return key;
}

// θ_zs, which is part of the model and keeps it alive.
std::shared_ptr<const tensor::WeightSet> BaseWeights(const std::shared_ptr<const model::ClipModel>& model) {
  return {model, &model->image_weights};
}

}  // namespace

MixtureCache::MixtureCache(int64_t maximum_bytes, const store::BlobStore& blobs)
    : blobs_(blobs), cache_(maximum_bytes) {}

std::shared_ptr<const tensor::WeightSet> MixtureCache::Find(const std::shared_ptr<const model::ClipModel>& model,
                                                            std::span<const patch::MixtureTerm> canonical_terms) {
  if (canonical_terms.empty()) return BaseWeights(model);
  return cache_.Find(KeyOf(*model, canonical_terms));
}

absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> MixtureCache::Get(
    const std::shared_ptr<const model::ClipModel>& model, std::span<const patch::MixtureTerm> canonical_terms) {
  if (canonical_terms.empty()) return BaseWeights(model);
  if (canonical_terms.size() == 1 && canonical_terms[0].coefficient == 1.0)
    return GetBlob(model, canonical_terms[0].blob);
  return cache_.Get(
      KeyOf(*model, canonical_terms), [&](const base::CancellationToken&) -> absl::StatusOr<Cache::Built> {
        const tensor::WeightSet& base = model->image_weights;
        MP_ASSIGN_OR_RETURN(auto weights, tensor::Guarded([&] {
                              return std::make_shared<tensor::WeightSet>(base.shared_layout(), base.device());
                            }));
        const patch::BlobLoader load_blob = [&](const std::string& blob) { return GetBlob(model, blob); };
        MP_RETURN_IF_ERROR(patch::InterpolateTerms(base, canonical_terms, load_blob, *weights));
        return Cache::Built{weights, weights->bytes()};
      });
}

absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> MixtureCache::GetBlob(
    const std::shared_ptr<const model::ClipModel>& model, const std::string& blob) {
  const patch::MixtureTerm term{blob, 1.0};
  return cache_.Get(KeyOf(*model, {&term, 1}), [&](const base::CancellationToken&) -> absl::StatusOr<Cache::Built> {
    const tensor::WeightSet& base = model->image_weights;
    MP_ASSIGN_OR_RETURN(tensor::WeightSet stored, blobs_.Get(blob, base.shared_layout()));
    MP_ASSIGN_OR_RETURN(auto weights, tensor::Guarded([&] {
                          return std::make_shared<const tensor::WeightSet>(
                              base.device().is_cuda() ? stored.CloneTo(base.device()) : stored);
                        }));
    return Cache::Built{weights, weights->bytes()};
  });
}

void MixtureCache::Evict(const model::ClipModel& model) { cache_.EvictPrefix(model.digest); }

}  // namespace modelpatch::serve
