#include "core/patch/coefficient_constraints.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace modelpatch::patch {
namespace {

constexpr double kTolerance = 1e-9;
constexpr double kUnitsPerOne = 10'000;

// Moves `values` to the nearest point with a sum of one and no negative entry.
void ProjectOnSimplex(std::vector<double>& values) {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double sum = 0;
  double shift = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    sum += sorted[i];
    const double candidate = (sum - 1) / static_cast<double>(i + 1);
    if (sorted[i] > candidate) shift = candidate;
  }
  for (double& value : values) value = std::max(0.0, value - shift);
}

}  // namespace

bool CoefficientSpace::Contains(std::span<const double> coefficients) const {
  for (size_t g = 0; g < groups; ++g) {
    double sum = 0;
    for (size_t i = 0; i < checkpoints; ++i) {
      const double value = coefficients[i * groups + g];
      if (!(value >= -kTolerance && value <= 1 + kTolerance)) return false;
      sum += value;
    }
    if (sum_at_most_one && sum > 1 + kTolerance) return false;
  }
  return true;
}

std::vector<double> CoefficientSpace::Project(std::span<const double> coefficients) const {
  std::vector<double> projected(coefficients.begin(), coefficients.end());
  for (double& value : projected) value = std::clamp(value, 0.0, 1.0);
  if (!sum_at_most_one) return projected;
  for (size_t g = 0; g < groups; ++g) {
    double sum = 0;
    for (size_t i = 0; i < checkpoints; ++i) sum += projected[i * groups + g];
    if (sum <= 1) continue;
    // Not of the clamped values: the nearest point of the simplex is that of the point itself.
    std::vector<double> values;
    for (size_t i = 0; i < checkpoints; ++i) values.push_back(coefficients[i * groups + g]);
    ProjectOnSimplex(values);
    for (size_t i = 0; i < checkpoints; ++i) projected[i * groups + g] = values[i];
  }
  return projected;
}

std::vector<double> CoefficientSpace::Round(std::span<const double> coefficients) const {
  std::vector<double> rounded;
  for (const double value : coefficients) rounded.push_back(std::round(value * kUnitsPerOne) / kUnitsPerOne);
  if (Contains(rounded)) return rounded;
  for (size_t i = 0; i < rounded.size(); ++i) rounded[i] = std::floor(coefficients[i] * kUnitsPerOne) / kUnitsPerOne;
  return rounded;
}

}  // namespace modelpatch::patch
