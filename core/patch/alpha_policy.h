// How α is chosen on validation data. Torch-free; pure functions.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/patch/evaluation.h"

namespace modelpatch::patch {

// kFixed: the given α. kMean: the paper's, best ½·(mean over patching tasks + mean over supported tasks).
// kBudget: best patching mean such that no supported task loses more than ε points against α = 0.
enum class AlphaPolicy { kFixed, kMean, kBudget };

// "fixed", "mean", "budget".
std::string_view NameOf(AlphaPolicy policy);
absl::StatusOr<AlphaPolicy> ParseAlphaPolicy(std::string_view name);

struct AlphaAccuracies {
  double alpha;
  std::vector<TaskAccuracy> accuracies;
};

// ½·(mean over patching tasks + mean over supported tasks); the one mean where the other kind of task is absent.
double MeanAccuracy(std::span<const TaskAccuracy> accuracies);

// What kMean and kBudget maximise: MeanAccuracy, or the mean over patching tasks (0 without any).
double PolicyScore(std::span<const TaskAccuracy> accuracies, AlphaPolicy policy);

// Whether a score is above another. Means that are equal as fractions may differ by rounding, which does not count.
bool IsBetterScore(double score, double other);

// Whether no supported task of `point` lost more than `epsilon_points` percentage points against `base`, which has the
// same tasks in the same order.
bool IsWithinBudget(std::span<const TaskAccuracy> point, std::span<const TaskAccuracy> base, double epsilon_points);

// The index of the best point by kMean or kBudget (kFixed needs no choice). Ties take the smallest α. The budget is
// counted in examples, so that it is exact. FAILED_PRECONDITION (NO_BASE_POINT) if the budget policy has no point at α
// = 0 to compare with.
absl::StatusOr<size_t> ChooseAlpha(std::span<const AlphaAccuracies> points, AlphaPolicy policy, double epsilon_points);

}  // namespace modelpatch::patch
