#include "core/patch/budget.h"

namespace modelpatch::patch {

bool IsWithinBudget(int64_t lost, int64_t total, double epsilon_points) {
  // Dividing first would let rounding decide at the very edge of the budget.
  const double allowed = epsilon_points / 100.0 * static_cast<double>(total);
  return static_cast<double>(lost) <= allowed + 1e-9;
}

}  // namespace modelpatch::patch
