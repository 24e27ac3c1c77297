#include "core/serve/resource_caches.h"

#include <set>
#include <utility>

#include "core/tensor/guard.h"

namespace modelpatch::serve {
namespace {

// They make what the caches lack, and encode texts: behind the forwards of those who miss nothing.
constexpr int kThreads = 2;
constexpr int kNice = 5;
// Mixtures whose demand is known.
constexpr size_t kRememberedMixtures = 4096;

}  // namespace

ResourceCaches::ResourceCaches(const CacheOptions& options, const store::BlobStore& blobs, const Batcher& batcher,
                               const base::Clock& clock, base::MetricRegistry& metrics)
    : options_(options),
      batcher_(batcher),
      clock_(clock),
      models_(options.model_bytes, options.device),
      mixtures_(options.mixture_bytes, options.precision, blobs, clock),
      heads_(options.head_bytes),
      demand_(kRememberedMixtures),
      mixture_bytes_(metrics.GetGauge("modelpatch_mixture_cache_bytes", "Bytes of cached mixtures")),
      head_bytes_(metrics.GetGauge("modelpatch_head_cache_bytes", "Bytes of cached zero-shot heads")),
      mixture_misses_(metrics.GetGauge("modelpatch_mixture_cache_misses", "Mixtures that had to be interpolated")),
      head_misses_(metrics.GetGauge("modelpatch_head_cache_misses", "Zero-shot heads that had to be computed")),
      threads_(base::MakeThreadPool(kThreads, kNice)) {}

base::CancellationToken ResourceCaches::CallerOf(const RequestContext& context) const {
  return base::CancellationToken::When([context, this] { return !CheckWanted(context, clock_.SteadyNow()).ok(); });
}

void ResourceCaches::Gather(WantedResources wanted, WithResources next) {
  if (std::optional<Resources> found = Find(wanted); found.has_value()) return next(*std::move(found));
  threads_->Schedule([this, wanted = std::move(wanted), next = std::move(next)] {
    next(tensor::Guarded([&] { return Make(wanted); }));
  });
}

std::optional<Resources> ResourceCaches::Find(const WantedResources& wanted) {
  Resources found;
  found.model = models_.Find(wanted.model_directory);
  if (found.model == nullptr) return std::nullopt;
  if (wanted.classes != nullptr) {
    found.head = heads_.Find(*found.model, *wanted.classes);
    if (found.head == nullptr) return std::nullopt;
  }
  found.weights = FindWeights(found.model, wanted);
  if (found.weights.materialised == nullptr && found.weights.sources.empty()) return std::nullopt;
  return found;
}

absl::StatusOr<Resources> ResourceCaches::Make(const WantedResources& wanted) {
  const RequestContext& context = wanted.context;
  MP_RETURN_IF_ERROR(CheckWanted(context, clock_.SteadyNow()));
  Resources made;
  MP_ASSIGN_OR_RETURN(made.model, models_.Get(wanted.model_directory));
  MP_ASSIGN_OR_RETURN(made.weights, MakeWeights(made.model, wanted));
  if (wanted.classes != nullptr) {
    auto head = heads_.Get(made.model, *wanted.classes, CallerOf(context));
    MP_RETURN_IF_ERROR(CheckWanted(context, clock_.SteadyNow()));  // what the head's own CANCELLED is about
    MP_RETURN_IF_ERROR(head.status());
    made.head = *std::move(head);
  }
  Report();
  return made;
}

double ResourceCaches::ExtraSeconds(const model::ClipModel& model, const WantedResources& wanted) const {
  const ForwardCosts costs = batcher_.CostsOf(model.image_encoder);
  const double products = static_cast<double>(wanted.terms.size()) + 1;
  return (costs.mixed_product * products - costs.plain_image) * static_cast<double>(wanted.images);
}

bool ResourceCaches::IsWorthMixing(const model::ClipModel& model, const WantedResources& wanted) const {
  return model.image_encoder->can_mix() &&
         ExtraSeconds(model, wanted) < mixtures_.MaterialiseSeconds(model, wanted.terms.size());
}

void ResourceCaches::ChargeMixing(const Model& model, const WantedResources& wanted) {
  const double price = mixtures_.MaterialiseSeconds(*model, wanted.terms.size());
  if (!demand_.Charge(mixtures_.KeyOf(*model, wanted.terms), ExtraSeconds(*model, wanted), price)) return;
  threads_->Schedule([this, model, terms = wanted.terms] {
    // Whoever needs the mixture will see the error of making it.
    (void)mixtures_.Get(model, terms);
    Report();
  });
}

MixtureWeights ResourceCaches::FindWeights(const Model& model, const WantedResources& wanted) {
  MixtureWeights weights;
  weights.materialised = mixtures_.Find(model, wanted.terms);
  const bool may_mix =
      weights.materialised != nullptr ? model->image_encoder->can_mix() : IsWorthMixing(*model, wanted);
  if (!may_mix) return weights;
  weights.sources = mixtures_.FindSources(model, wanted.terms);
  if (weights.materialised == nullptr && !weights.sources.empty()) ChargeMixing(model, wanted);
  return weights;
}

absl::StatusOr<MixtureWeights> ResourceCaches::MakeWeights(const Model& model, const WantedResources& wanted) {
  MixtureWeights weights;
  if (IsWorthMixing(*model, wanted) && mixtures_.CanHold(*model, wanted.terms.size() + 1)) {
    MP_ASSIGN_OR_RETURN(weights.sources, mixtures_.GetSources(model, wanted.terms));
    weights.materialised = mixtures_.Find(model, wanted.terms);
    if (weights.materialised == nullptr) ChargeMixing(model, wanted);
    return weights;
  }
  MP_ASSIGN_OR_RETURN(weights.materialised, mixtures_.Get(model, wanted.terms));
  // So that the costs of its encoder are measured before there is a choice.
  if (model->image_encoder->can_mix()) weights.sources = mixtures_.FindSources(model, wanted.terms);
  return weights;
}

void ResourceCaches::Pin(std::vector<ResolvedMixture> mixtures) {
  threads_->Schedule([this, mixtures = std::move(mixtures)] { MakePinned(mixtures); });
}

void ResourceCaches::MakePinned(const std::vector<ResolvedMixture>& mixtures) {
  struct Pinned {
    Model model;
    std::vector<patch::MixtureTerm> terms;
  };
  std::vector<Pinned> pinned;
  std::set<std::string> keys;
  int64_t bytes = 0;
  for (const ResolvedMixture& mixture : mixtures) {
    const auto model = models_.Get(mixture.model_directory);
    // One that cannot be loaded fails those who ask for it.
    if (!model.ok()) continue;
    bytes += (*model)->image_weights.bytes();
    if (bytes > options_.mixture_bytes / 2) break;
    pinned.push_back({*model, patch::CanonicalTerms(mixture.terms)});
    keys.insert(mixtures_.KeyOf(**model, pinned.back().terms));
  }
  mixtures_.SetPinned(std::move(keys));
  for (const Pinned& one : pinned) (void)mixtures_.Get(one.model, one.terms);
  Report();
}

void ResourceCaches::Evict(const std::string& model_directory) {
  const Model model = models_.Find(model_directory);
  models_.Evict(model_directory);
  // The same model may be there under another name, whose requests go on.
  if (model == nullptr || models_.Holds(model->digest)) return;
  mixtures_.Evict(*model);
  heads_.Evict(*model);
  Report();
}

void ResourceCaches::EvictBlob(const std::string& blob) {
  mixtures_.EvictBlob(blob);
  Report();
}

void ResourceCaches::Report() {
  const auto statistics = mixtures_.statistics();
  mixture_bytes_.Set(static_cast<double>(statistics.bytes));
  mixture_misses_.Set(static_cast<double>(statistics.misses));
  const auto head_statistics = heads_.statistics();
  head_bytes_.Set(static_cast<double>(head_statistics.bytes));
  head_misses_.Set(static_cast<double>(head_statistics.misses));
}

}  // namespace modelpatch::serve
