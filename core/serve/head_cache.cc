#include "core/serve/head_cache.h"

#include <torch/torch.h>

#include <utility>

namespace modelpatch::serve {
namespace {

using Cache = SingleFlightCache<model::ZeroShotHead>;

std::string KeyOf(const model::ClipModel& model, const ClassList& classes) {
  return model.digest + "|" + classes.digest();
}

}  // namespace

HeadCache::HeadCache(int64_t maximum_bytes) : cache_(maximum_bytes) {}

absl::StatusOr<std::shared_ptr<const model::ZeroShotHead>> HeadCache::Get(
    const std::shared_ptr<const model::ClipModel>& model, const ClassList& classes,
    const base::CancellationToken& caller) {
  const Cache::Builder build = [&](const base::CancellationToken& unwanted) -> absl::StatusOr<Cache::Built> {
    MP_ASSIGN_OR_RETURN(model::ZeroShotHead head, model::MakeZeroShotHead(*model, classes.classes(), unwanted));
    head.embeddings = std::make_shared<const at::Tensor>(head.embeddings->cpu().contiguous());
    int64_t bytes = static_cast<int64_t>(head.embeddings->nbytes());
    for (const std::string& name : head.class_names) bytes += static_cast<int64_t>(name.size() + sizeof(name));
    return Cache::Built{std::make_shared<const model::ZeroShotHead>(std::move(head)), bytes};
  };
  return cache_.Get(KeyOf(*model, classes), build, caller);
}

std::shared_ptr<const model::ZeroShotHead> HeadCache::Find(const model::ClipModel& model, const ClassList& classes) {
  return cache_.Find(KeyOf(model, classes));
}

}  // namespace modelpatch::serve
