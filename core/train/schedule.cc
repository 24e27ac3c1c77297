#include "core/train/schedule.h"

#include <cmath>
#include <numbers>

namespace modelpatch::train {

double LearningRateAt(int64_t step, double base, int64_t warmup_steps, int64_t total_steps,
                      LearningRateSchedule schedule) {
  if (step < warmup_steps) return base * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  if (schedule == LearningRateSchedule::kConstant) return base;
  const auto elapsed = static_cast<double>(step - warmup_steps);
  const auto length = static_cast<double>(total_steps - warmup_steps);
  return 0.5 * (1 + std::cos(std::numbers::pi * elapsed / length)) * base;
}

}  // namespace modelpatch::train
