#include "server/accuracy_conversion.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/resource_names.h"

namespace modelpatch::server {
namespace {

double MeanOf(const std::vector<patch::TaskAccuracy>& accuracies, patch::TaskRole role) {
  double sum = 0;
  int count = 0;
  for (const patch::TaskAccuracy& accuracy : accuracies) {
    if (accuracy.role != role) continue;
    sum += accuracy.accuracy();
    ++count;
  }
  return count == 0 ? 0 : sum / count;
}

}  // namespace

v1::Split ToMessage(data::Split split) {
  switch (split) {
    case data::Split::kTrain:
      return v1::SPLIT_TRAIN;
    case data::Split::kValidation:
      return v1::SPLIT_VALIDATION;
    case data::Split::kTest:
      return v1::SPLIT_TEST;
  }
  return v1::SPLIT_UNSPECIFIED;
}

v1::TaskRole ToMessage(patch::TaskRole role) {
  return role == patch::TaskRole::kPatching ? v1::TASK_ROLE_PATCHING : v1::TASK_ROLE_SUPPORTED;
}

absl::StatusOr<data::Split> ToSplit(v1::Split split, data::Split otherwise) {
  switch (split) {
    case v1::SPLIT_UNSPECIFIED:
      return otherwise;
    case v1::SPLIT_TRAIN:
      return data::Split::kTrain;
    case v1::SPLIT_VALIDATION:
      return data::Split::kValidation;
    case v1::SPLIT_TEST:
      return data::Split::kTest;
    default:
      return base::WithField(
          base::InvalidArgument("BAD_SPLIT",
                                fmt::format("{} is no split; use TRAIN, VALIDATION or TEST", static_cast<int>(split))),
          "split");
  }
}

v1::TaskAccuracy ToMessage(const patch::TaskAccuracy& accuracy) {
  v1::TaskAccuracy message;
  message.set_task(ResourceName(kTasks, accuracy.task));
  message.set_role(ToMessage(accuracy.role));
  message.set_split(ToMessage(accuracy.split));
  message.set_accuracy(accuracy.accuracy());
  message.set_correct(static_cast<int32_t>(accuracy.correct));
  message.set_total(static_cast<int32_t>(accuracy.total));
  return message;
}

bool HasBothRoles(const std::vector<patch::TaskAccuracy>& accuracies) {
  const auto has = [&](patch::TaskRole role) {
    return std::any_of(accuracies.begin(), accuracies.end(),
                       [&](const auto& accuracy) { return accuracy.role == role; });
  };
  return has(patch::TaskRole::kPatching) && has(patch::TaskRole::kSupported);
}

v1::PatchMetrics TradeOffOf(std::vector<patch::AlphaAccuracies> points) {
  v1::PatchMetrics message;
  std::sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.alpha < b.alpha; });
  if (points.size() < 2 || points.front().alpha != 0 || points.back().alpha != 1 ||
      !HasBothRoles(points.front().accuracies)) {
    return message;
  }
  std::vector<patch::TradeOffPoint> curve;
  for (const patch::AlphaAccuracies& point : points) {
    curve.push_back({point.alpha, MeanOf(point.accuracies, patch::TaskRole::kSupported),
                     MeanOf(point.accuracies, patch::TaskRole::kPatching)});
  }
  const auto metrics = patch::ComputeTradeOffMetrics(curve);
  if (!metrics.ok()) return message;
  message.set_distance_to_optimal(metrics->distance_to_optimal);
  message.set_distance_to_endpoints(metrics->distance_to_endpoints);
  message.set_path_correction_cost(metrics->path_correction_cost);
  return message;
}

std::vector<double> DefaultAlphas() {
  std::vector<double> alphas;
  for (int i = 0; i <= 20; ++i) alphas.push_back(i / 20.0);
  return alphas;
}

}  // namespace modelpatch::server
