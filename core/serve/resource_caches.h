// ResourceCaches: what an inference request needs before its forward (model, weights, zero-shot head), found in caches
// or made once for all who wait.
//
// What a cache lacks is made on threads of this class, so that a miss, however long it takes, never delays a hit; what
// is worth materialising is made there too, beside the forwards that run, and found by the requests that come after.
// Thread safety: thread-safe. Its destructor waits for what is being made.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/executor.h"
#include "core/base/metrics.h"
#include "core/model/clip_model.h"
#include "core/serve/batcher.h"
#include "core/serve/class_list.h"
#include "core/serve/forward_request.h"
#include "core/serve/head_cache.h"
#include "core/serve/mixture_cache.h"
#include "core/serve/mixture_demand.h"
#include "core/serve/model_cache.h"
#include "core/serve/request.h"

namespace modelpatch::serve {

struct CacheOptions {
  tensor::Device device;
  // Of the image encoder's matrix products.
  model::Precision precision = model::Precision::kFloat32;
  int64_t mixture_bytes = int64_t{2} << 30;
  int64_t head_bytes = int64_t{256} << 20;
  int64_t model_bytes = int64_t{8} << 30;
};

// What a request asks for.
struct WantedResources {
  std::string model_directory;
  std::vector<patch::MixtureTerm> terms;     // canonical
  std::shared_ptr<const ClassList> classes;  // null if no head is wanted
  // That will be forwarded: many are worth a materialised mixture at once.
  int64_t images = 0;
  RequestContext context;
};

struct Resources {
  std::shared_ptr<const model::ClipModel> model;
  MixtureWeights weights;
  std::shared_ptr<const model::ZeroShotHead> head;  // null if no classes were asked for
  // What the requests of one prepared classifier have in common, while any of them runs; else null.
  std::shared_ptr<const Resources> shared;
};

class ResourceCaches {
 public:
  // All outlive it.
  ResourceCaches(const CacheOptions& options, const store::BlobStore& blobs, const Batcher& batcher,
                 const base::Clock& clock, base::MetricRegistry& metrics);

  // Calls `next` with what the caches have, or, once it has been made, on a thread of this class.
  using WithResources = std::function<void(absl::StatusOr<Resources>)>;
  void Gather(WantedResources wanted, WithResources next);

  // Keeps these mixtures materialised whatever else is asked for, as long as they fit into half of the cache, in the
  // order given; what was pinned before is pinned no longer. Returns at once; they are made in the background.
  void Pin(std::vector<ResolvedMixture> mixtures);
  // Forgets a model, and what was derived from it unless the same model is resident under another name.
  void Evict(const std::string& model_directory);
  // Forgets a checkpoint's blob and the mixtures that were made from it.
  void EvictBlob(const std::string& blob);

  // Runs `work` on a thread for what may take long.
  void Schedule(std::function<void()> work) { threads_->Schedule(std::move(work)); }
  // Cancelled when the request is, or too late.
  base::CancellationToken CallerOf(const RequestContext& context) const;

  ModelCache& models() { return models_; }
  MixtureCache& mixtures() { return mixtures_; }
  HeadCache& heads() { return heads_; }

 private:
  using Model = std::shared_ptr<const model::ClipModel>;

  std::optional<Resources> Find(const WantedResources& wanted);
  absl::StatusOr<Resources> Make(const WantedResources& wanted);
  // Weights that are there, or can be mixed from what is there; empty if there is nothing, or too little for so many
  // images.
  MixtureWeights FindWeights(const Model& model, const WantedResources& wanted);
  absl::StatusOr<MixtureWeights> MakeWeights(const Model& model, const WantedResources& wanted);
  // What mixing these images costs more than a plain forward of them.
  double ExtraSeconds(const model::ClipModel& model, const WantedResources& wanted) const;
  // Whether mixing these images costs less than materialising their mixture.
  bool IsWorthMixing(const model::ClipModel& model, const WantedResources& wanted) const;
  // Counts a request that is mixed, and has its mixture materialised in the background if that has become worth it.
  void ChargeMixing(const Model& model, const WantedResources& wanted);
  void MakePinned(const std::vector<ResolvedMixture>& mixtures);
  void Report();

  const CacheOptions options_;
  const Batcher& batcher_;
  const base::Clock& clock_;
  ModelCache models_;
  MixtureCache mixtures_;
  HeadCache heads_;
  MixtureDemand demand_;
  base::Gauge& mixture_bytes_;
  base::Gauge& head_bytes_;
  base::Gauge& mixture_misses_;
  base::Gauge& head_misses_;
  // Last, so that it goes first.
  const std::unique_ptr<base::Executor> threads_;
};

}  // namespace modelpatch::serve
