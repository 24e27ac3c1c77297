// The space of a coefficient search: the box [0, 1]^k for each group, and Σαᵢ ≤ 1 where it is asked for.
//
// Coefficients are [k·groups], checkpoint by checkpoint. Torch-free; a plain value and pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace modelpatch::patch {

struct CoefficientSpace {
  size_t checkpoints = 1;
  size_t groups = 1;
  bool sum_at_most_one = false;

  size_t size() const { return checkpoints * groups; }
  // Up to rounding.
  bool Contains(std::span<const double> coefficients) const;
  // The nearest point of the space, in the Euclidean norm. Source: Duchi et al. 2008, figure 1, for the simplex.
  std::vector<double> Project(std::span<const double> coefficients) const;
  // The nearest multiples of 1/10,000, or those below where the sums would exceed 1.
  std::vector<double> Round(std::span<const double> coefficients) const;
};

}  // namespace modelpatch::patch
