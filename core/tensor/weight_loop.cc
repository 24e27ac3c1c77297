#include "core/tensor/weight_loop.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <vector>

namespace modelpatch::tensor {

void ForEachWeight(const WeightLayout& layout, const std::function<void(size_t)>& work) {
  // Nobody begins a large weight when the others are done.
  std::vector<size_t> order(layout.weights().size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return layout.weights()[a].numel > layout.weights()[b].numel; });
  std::atomic<size_t> next = 0;
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t, int64_t) {
    for (size_t i = next++; i < order.size(); i = next++) work(order[i]);
  });
}

}  // namespace modelpatch::tensor
