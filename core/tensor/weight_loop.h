// Work on each weight of a layout, on several threads.
#pragma once

#include <cstddef>
#include <functional>

#include "core/tensor/weight_layout.h"

namespace modelpatch::tensor {

// Calls `work` once with the place of each weight, the largest weights first, on libtorch's threads, and returns when
// all are done. What `work` throws, this throws.
void ForEachWeight(const WeightLayout& layout, const std::function<void(size_t)>& work);

}  // namespace modelpatch::tensor
