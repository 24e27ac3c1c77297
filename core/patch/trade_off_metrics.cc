#include "core/patch/trade_off_metrics.h"

#include <algorithm>

namespace modelpatch::patch {

absl::StatusOr<TradeOffMetrics> ComputeTradeOffMetrics(std::span<const TradeOffPoint> points) {
  if (points.empty()) return base::InvalidArgument("NO_POINTS", "a curve needs at least one point");
  const double first_supported = points.front().supported;
  const double last_patching = points.back().patching;
  double best_supported = points.front().supported;
  double best_patching = points.front().patching;
  double best_average = 0;
  double correction = 0;
  for (const TradeOffPoint& point : points) {
    best_supported = std::max(best_supported, point.supported);
    best_patching = std::max(best_patching, point.patching);
    best_average = std::max(best_average, (point.supported + point.patching) / 2);
    if (point.supported < first_supported && point.patching < last_patching) {
      correction += std::min(first_supported - point.supported, last_patching - point.patching);
    }
  }
  TradeOffMetrics metrics;
  metrics.distance_to_optimal = (best_supported + best_patching) / 2 - best_average;
  metrics.distance_to_endpoints = (first_supported + last_patching) / 2 - best_average;
  metrics.path_correction_cost = correction / static_cast<double>(points.size());
  return metrics;
}

}  // namespace modelpatch::patch
