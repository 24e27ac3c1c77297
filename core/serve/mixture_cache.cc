#include "core/serve/mixture_cache.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "core/patch/interpolation.h"
#include "core/tensor/guard.h"

namespace modelpatch::serve {
namespace {

using Cache = SingleFlightCache<MixtureCache::Entry>;

// Until one has been materialised: a few gigabytes a second.
constexpr double kUsualSecondsPerByte = 2.5e-10;

// Bytes that interpolation reads and writes: θ_zs, every checkpoint, and the mixture.
double BytesMoved(const model::ClipModel& model, size_t terms) {
  return static_cast<double>(model.image_weights.bytes()) * static_cast<double>(terms + 2);
}

// Coefficients in hexadecimal floating point: two that differ in any bit are two mixtures.
std::string ExactKey(const model::ClipModel& model, std::span<const patch::MixtureTerm> terms) {
  std::string key = model.digest;
  for (const patch::MixtureTerm& term : terms) key += fmt::format("|{}={:a}", term.blob, term.coefficient);
  return key;
}

Cache::Built BuiltOf(MixtureCache::Entry entry, int64_t bytes) {
  return {std::make_shared<const MixtureCache::Entry>(std::move(entry)), bytes};
}

bool IsOneBlob(std::span<const patch::MixtureTerm> terms) { return terms.size() == 1 && terms[0].coefficient == 1.0; }

}  // namespace

MixtureCache::MixtureCache(int64_t maximum_bytes, model::Precision precision, const store::BlobStore& blobs,
                           const base::Clock& clock)
    : maximum_bytes_(maximum_bytes),
      precision_(precision),
      blobs_(blobs),
      clock_(clock),
      seconds_per_byte_(kUsualSecondsPerByte),
      cache_(maximum_bytes) {}

std::string MixtureCache::KeyOf(const model::ClipModel& model, std::span<const patch::MixtureTerm> terms) const {
  const bool is_exact = precision_ == model::Precision::kFloat32;
  return ExactKey(model, terms) + (is_exact ? "" : fmt::format("|{}", model::NameOf(precision_)));
}

std::shared_ptr<const model::EncoderWeights> MixtureCache::Find(const std::shared_ptr<const model::ClipModel>& model,
                                                                std::span<const patch::MixtureTerm> canonical_terms) {
  if (canonical_terms.empty() && precision_ == model::Precision::kFloat32) {
    return std::make_shared<const model::EncoderWeights>(model->image_weights, precision_);
  }
  const std::shared_ptr<const Entry> entry = cache_.Find(KeyOf(*model, canonical_terms));
  return entry == nullptr ? nullptr : entry->encoder;
}

absl::StatusOr<std::shared_ptr<const model::EncoderWeights>> MixtureCache::Get(
    const std::shared_ptr<const model::ClipModel>& model, std::span<const patch::MixtureTerm> canonical_terms) {
  const bool is_exact = precision_ == model::Precision::kFloat32;
  if (is_exact && canonical_terms.empty()) return Find(model, canonical_terms);
  if (is_exact && IsOneBlob(canonical_terms)) {
    MP_ASSIGN_OR_RETURN(const std::shared_ptr<const Entry> blob, GetExact(model, canonical_terms[0].blob));
    return blob->encoder;
  }
  MP_ASSIGN_OR_RETURN(
      const std::shared_ptr<const Entry> entry,
      cache_.Get(KeyOf(*model, canonical_terms), [&](const base::CancellationToken&) -> absl::StatusOr<Cache::Built> {
        MP_ASSIGN_OR_RETURN(const auto weights, Mix(model, canonical_terms));
        MP_ASSIGN_OR_RETURN(auto encoder, tensor::Guarded([&] {
                              return std::make_shared<const model::EncoderWeights>(*weights, precision_);
                            }));
        const int64_t bytes = encoder->bytes();
        return BuiltOf({is_exact ? weights : nullptr, std::move(encoder)}, bytes);
      }));
  return entry->encoder;
}

absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> MixtureCache::Mix(
    const std::shared_ptr<const model::ClipModel>& model, std::span<const patch::MixtureTerm> canonical_terms) {
  const tensor::WeightSet& base = model->image_weights;
  if (canonical_terms.empty()) return std::make_shared<const tensor::WeightSet>(base);
  if (IsOneBlob(canonical_terms)) return GetBlob(model, canonical_terms[0].blob);
  MP_ASSIGN_OR_RETURN(auto weights, tensor::Guarded([&] {
                        return std::make_shared<tensor::WeightSet>(base.shared_layout(), base.device());
                      }));
  const patch::BlobLoader load_blob = [&](const std::string& blob) { return GetBlob(model, blob); };
  // What is not resident yet is read from the disk, which is not to be counted.
  for (const patch::MixtureTerm& term : canonical_terms) MP_RETURN_IF_ERROR(load_blob(term.blob).status());
  const base::SteadyTime begin = clock_.SteadyNow();
  MP_RETURN_IF_ERROR(patch::InterpolateTerms(base, canonical_terms, load_blob, *weights));
  const double seconds = std::chrono::duration<double>(clock_.SteadyNow() - begin).count();
  if (seconds > 0) seconds_per_byte_ = seconds / BytesMoved(*model, canonical_terms.size());
  return std::shared_ptr<const tensor::WeightSet>(std::move(weights));
}

absl::StatusOr<std::shared_ptr<const MixtureCache::Entry>> MixtureCache::GetExact(
    const std::shared_ptr<const model::ClipModel>& model, const std::string& blob) {
  const patch::MixtureTerm term{blob, 1.0};
  return cache_.Get(ExactKey(*model, {&term, 1}), [&](const base::CancellationToken&) -> absl::StatusOr<Cache::Built> {
    const tensor::WeightSet& base = model->image_weights;
    MP_ASSIGN_OR_RETURN(tensor::WeightSet stored, blobs_.Get(blob, base.shared_layout()));
    MP_ASSIGN_OR_RETURN(auto weights, tensor::Guarded([&] {
                          return std::make_shared<const tensor::WeightSet>(
                              base.device().is_cuda() ? stored.CloneTo(base.device()) : stored);
                        }));
    const int64_t bytes = weights->bytes();
    auto encoder = std::make_shared<const model::EncoderWeights>(*weights, model::Precision::kFloat32);
    return BuiltOf({std::move(weights), std::move(encoder)}, bytes);
  });
}

absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> MixtureCache::GetBlob(
    const std::shared_ptr<const model::ClipModel>& model, const std::string& blob) {
  MP_ASSIGN_OR_RETURN(const std::shared_ptr<const Entry> entry, GetExact(model, blob));
  return entry->exact;
}

absl::StatusOr<std::vector<MixtureWeights::Source>> MixtureCache::GetSources(
    const std::shared_ptr<const model::ClipModel>& model, std::span<const patch::MixtureTerm> canonical_terms) {
  std::vector<MixtureWeights::Source> sources;
  double base_coefficient = 1;
  for (const patch::MixtureTerm& term : canonical_terms) {
    const patch::MixtureTerm whole{term.blob, 1.0};
    MP_ASSIGN_OR_RETURN(auto weights, Get(model, {&whole, 1}));
    sources.push_back({std::move(weights), term.coefficient});
    base_coefficient -= term.coefficient;
  }
  if (base_coefficient != 0) {
    MP_ASSIGN_OR_RETURN(auto weights, Get(model, {}));
    sources.insert(sources.begin(), {std::move(weights), base_coefficient});
  }
  return sources;
}

std::vector<MixtureWeights::Source> MixtureCache::FindSources(const std::shared_ptr<const model::ClipModel>& model,
                                                              std::span<const patch::MixtureTerm> canonical_terms) {
  if (Find(model, {}) == nullptr) return {};
  for (const patch::MixtureTerm& term : canonical_terms) {
    const patch::MixtureTerm whole{term.blob, 1.0};
    if (Find(model, {&whole, 1}) == nullptr) return {};
  }
  return GetSources(model, canonical_terms).value_or(std::vector<MixtureWeights::Source>{});
}

bool MixtureCache::CanHold(const model::ClipModel& model, size_t towers) const {
  return static_cast<int64_t>(towers) <= maximum_bytes_ / model.image_weights.bytes();
}

double MixtureCache::MaterialiseSeconds(const model::ClipModel& model, size_t terms) const {
  return seconds_per_byte_ * BytesMoved(model, terms);
}

void MixtureCache::Evict(const model::ClipModel& model) { cache_.EvictPrefix(model.digest); }

}  // namespace modelpatch::serve
