// Sweeps whose forwards go through the batcher, behind all interactive ones, with models, checkpoints and zero-shot
// heads from the caches of inference.
//
// Thread safety: pure but for batcher and caches. Blocks: for a thread of the caller.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/base/status.h"
#include "core/data/image_codec.h"
#include "core/data/task.h"
#include "core/patch/sweep.h"
#include "core/serve/batcher.h"
#include "core/serve/request.h"
#include "core/serve/resource_caches.h"

namespace modelpatch::serve {

struct SweepTask {
  std::string name;
  data::TaskSource source;
  patch::TaskRole role;
  data::Split split;
};

struct BatchedSweepOptions {
  // That the tasks' pixels may take.
  int64_t pixel_bytes = 0;
  data::DecodeLimits decode_limits;
  model::Precision precision = model::Precision::kFloat32;
  // Of one forward on a GPU. On the CPU it is less, since whoever comes meanwhile must wait for it.
  int64_t maximum_batch = 0;
};

struct BatchedSweepInput {
  const ResolvedMixture& start;
  const ResolvedMixture& end;
  const std::vector<double>& alphas;
  const std::vector<SweepTask>& tasks;
};

// As patch::RunSweep. RESOURCE_EXHAUSTED (SWEEP_TOO_LARGE) if the splits' pixels do not fit.
absl::StatusOr<std::vector<patch::SweepPoint>> RunBatchedSweep(
    const BatchedSweepInput& input, const BatchedSweepOptions& options, ResourceCaches& caches, Batcher& batcher,
    const base::CancellationToken& cancellation, const std::function<absl::Status(const patch::SweepPoint&)>& on_point);

}  // namespace modelpatch::serve
