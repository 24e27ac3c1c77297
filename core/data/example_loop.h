// ForEachExample: the same work for every example of a dataset, by several threads.
#pragma once

#include <cstdint>
#include <functional>

#include "core/base/cancellation.h"
#include "core/base/status.h"

namespace modelpatch::data {

// Calls `work`, which must be thread-safe, for 0 … count - 1, each once and in this order, from the calling thread and
// up to `threads` - 1 others, until one fails. Errors: those of `work`, of the lowest index that fails; CANCELLED;
// RESOURCE_EXHAUSTED (OUT_OF_MEMORY) for a bad_alloc of `work`. Returns when all calls have.
absl::Status ForEachExample(int64_t count, int threads, const base::CancellationToken& cancellation,
                            const std::function<absl::Status(int64_t index)>& work);

}  // namespace modelpatch::data
