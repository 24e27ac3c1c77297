#include "core/patch/alpha_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/base/text.h"
#include "core/patch/budget.h"

namespace modelpatch::patch {
namespace {

// The mean accuracy over the tasks of `role`, or nothing if there are none.
std::optional<double> RoleMean(std::span<const TaskAccuracy> accuracies, TaskRole role) {
  double sum = 0;
  int64_t count = 0;
  for (const TaskAccuracy& accuracy : accuracies) {
    if (accuracy.role != role) continue;
    sum += accuracy.accuracy();
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

}  // namespace

std::string_view NameOf(AlphaPolicy policy) {
  switch (policy) {
    case AlphaPolicy::kFixed:
      return "fixed";
    case AlphaPolicy::kMean:
      return "mean";
    case AlphaPolicy::kBudget:
      return "budget";
  }
  return "mean";
}

absl::StatusOr<AlphaPolicy> ParseAlphaPolicy(std::string_view name) {
  for (const AlphaPolicy policy : {AlphaPolicy::kFixed, AlphaPolicy::kMean, AlphaPolicy::kBudget}) {
    if (NameOf(policy) == name) return policy;
  }
  return base::InvalidArgument(
      "BAD_ALPHA_POLICY", fmt::format("'{}' is not an α policy; use fixed, mean or budget", base::Printable(name)));
}

double MeanAccuracy(std::span<const TaskAccuracy> accuracies) {
  const std::optional<double> patching = RoleMean(accuracies, TaskRole::kPatching);
  const std::optional<double> supported = RoleMean(accuracies, TaskRole::kSupported);
  if (patching && supported) return (*patching + *supported) / 2;
  return patching.value_or(supported.value_or(0));
}

double PolicyScore(std::span<const TaskAccuracy> accuracies, AlphaPolicy policy) {
  return policy == AlphaPolicy::kBudget ? RoleMean(accuracies, TaskRole::kPatching).value_or(0)
                                        : MeanAccuracy(accuracies);
}

bool IsBetterScore(double score, double other) {
  // Fractions that are not equal differ by far more.
  constexpr double kRounding = 1e-12;
  return score > other + kRounding;
}

bool IsWithinBudget(std::span<const TaskAccuracy> point, std::span<const TaskAccuracy> base, double epsilon_points) {
  for (size_t i = 0; i < point.size(); ++i) {
    if (point[i].role != TaskRole::kSupported) continue;
    if (!IsWithinBudget(base[i].correct - point[i].correct, point[i].total, epsilon_points)) return false;
  }
  return true;
}

absl::StatusOr<size_t> ChooseAlpha(std::span<const AlphaAccuracies> points, AlphaPolicy policy, double epsilon_points) {
  if (points.empty()) return base::InvalidArgument("NO_POINTS", "there are no α to choose from");
  const auto base_point =
      std::find_if(points.begin(), points.end(), [](const AlphaAccuracies& p) { return p.alpha == 0; });
  if (policy == AlphaPolicy::kBudget && base_point == points.end()) {
    return base::FailedPrecondition("NO_BASE_POINT", "the budget policy compares with α = 0; put 0 among the α");
  }
  std::optional<size_t> best;
  for (size_t i = 0; i < points.size(); ++i) {
    const AlphaAccuracies& point = points[i];
    if (policy == AlphaPolicy::kBudget && !IsWithinBudget(point.accuracies, base_point->accuracies, epsilon_points))
      continue;
    if (!best) {
      best = i;
      continue;
    }
    const double score = PolicyScore(point.accuracies, policy);
    const double best_score = PolicyScore(points[*best].accuracies, policy);
    const bool tied = !IsBetterScore(score, best_score) && !IsBetterScore(best_score, score);
    if (IsBetterScore(score, best_score) || (tied && point.alpha < points[*best].alpha)) best = i;
  }
  return *best;
}

}  // namespace modelpatch::patch
