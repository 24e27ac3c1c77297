// What a task may lose. Torch-free; pure functions.
#pragma once

#include <cstdint>

namespace modelpatch::patch {

// Whether a task that lost `lost` of `total` examples (a gain is negative) lost no more than `epsilon_points`
// percentage points of accuracy. Counted in examples, so that it is exact.
bool IsWithinBudget(int64_t lost, int64_t total, double epsilon_points);

}  // namespace modelpatch::patch
