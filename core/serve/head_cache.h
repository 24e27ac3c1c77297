// HeadCache: zero-shot heads, each computed once for all who wait.
//
// Thread safety: thread-safe. Get blocks while a value is made: not for gRPC threads.
#pragma once

#include <memory>

#include "core/model/clip_model.h"
#include "core/serve/class_list.h"
#include "core/serve/single_flight_cache.h"

namespace modelpatch::serve {

// Zero-shot heads by content: model and prompts. Shared by every α, checkpoint and request. Their embeddings lie on the
// CPU, where scores are computed.
class HeadCache {
 public:
  explicit HeadCache(int64_t maximum_bytes);

  // A head that nobody waits for any more is given up. CANCELLED once `caller` is.
  absl::StatusOr<std::shared_ptr<const model::ZeroShotHead>> Get(const std::shared_ptr<const model::ClipModel>& model,
                                                                 const ClassList& classes,
                                                                 const base::CancellationToken& caller);

  // The head if it is there.
  std::shared_ptr<const model::ZeroShotHead> Find(const model::ClipModel& model, const ClassList& classes);

  // Forgets what was made from a model.
  void Evict(const model::ClipModel& model) { cache_.EvictPrefix(model.digest); }

  SingleFlightCache<model::ZeroShotHead>::Statistics statistics() { return cache_.statistics(); }

 private:
  SingleFlightCache<model::ZeroShotHead> cache_;
};

}  // namespace modelpatch::serve
