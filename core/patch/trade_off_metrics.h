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

// Over the points of an ascending α grid whose first is α = 0 and whose last is α = 1.
// INVALID_ARGUMENT (TOO_FEW_POINTS) for fewer than two.
absl::StatusOr<TradeOffMetrics> ComputeTradeOffMetrics(std::span<const TradeOffPoint> points);

}  // namespace modelpatch::patch
