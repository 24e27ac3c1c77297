// How well patching worked, from an α curve: the paper's section on measuring. Torch-free; pure functions.
#pragma once

#include <span>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::patch {

// Accuracies at one α, each in [0, 1] (means, where there are several tasks of a kind).
struct TradeOffPoint {
  double alpha;
  double supported;
  double patching;
};

struct TradeOffMetrics {
  double distance_to_optimal = 0;
  double distance_to_endpoints = 0;
  double path_correction_cost = 0;
};

// With x the supported and y the patching accuracy over an ascending α grid (PAINT, appendix on measuring patching):
//   distance_to_optimal    ½(max x + max y) − max ½(x + y)
//   distance_to_endpoints  ½(x at the first α + y at the last) − max ½(x + y)
//   path_correction_cost   mean over all α of min(x₀ − x, y₁ − y) where both are positive, else 0
// INVALID_ARGUMENT (NO_POINTS) for none.
absl::StatusOr<TradeOffMetrics> ComputeTradeOffMetrics(std::span<const TradeOffPoint> points);

}  // namespace modelpatch::patch
