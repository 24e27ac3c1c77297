#include "core/serve/head_cache.h"

#include <torch/torch.h>

#include <utility>

#include "core/base/digest.h"

namespace modelpatch::serve {
namespace {

using Cache = SingleFlightCache<model::ZeroShotHead>;

std::string KeyOf(const model::ClipModel& model, std::span<const model::ClassPrompts> classes) {
  base::Sha256 digest;
  for (const model::ClassPrompts& entry : classes) {
    digest.UpdateInteger(entry.name.size());
    digest.Update(entry.name);
    digest.UpdateInteger(entry.prompts.size());
    for (const std::string& prompt : entry.prompts) {
      digest.UpdateInteger(prompt.size());
      digest.Update(prompt);
    }
  }
  return model.digest + "|" + digest.Finish();
}

}  // namespace

HeadCache::HeadCache(int64_t maximum_bytes) : cache_(maximum_bytes) {}

absl::StatusOr<std::shared_ptr<const model::ZeroShotHead>> HeadCache::Get(
    const std::shared_ptr<const model::ClipModel>& model, std::span<const model::ClassPrompts> classes,
    const base::CancellationToken& caller) {
  const Cache::Builder build = [&](const base::CancellationToken& unwanted) -> absl::StatusOr<Cache::Built> {
    MP_ASSIGN_OR_RETURN(model::ZeroShotHead head, model::MakeZeroShotHead(*model, classes, unwanted));
    int64_t bytes = static_cast<int64_t>(head.embeddings->nbytes());
    for (const std::string& name : head.class_names) bytes += static_cast<int64_t>(name.size() + sizeof(name));
    return Cache::Built{std::make_shared<const model::ZeroShotHead>(std::move(head)), bytes};
  };
  return cache_.Get(KeyOf(*model, classes), build, caller);
}

std::shared_ptr<const model::ZeroShotHead> HeadCache::Find(const model::ClipModel& model,
                                                           std::span<const model::ClassPrompts> classes) {
  return cache_.Find(KeyOf(model, classes));
}

}  // namespace modelpatch::serve
