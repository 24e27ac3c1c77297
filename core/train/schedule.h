// The learning-rate schedules of training. Torch-free; pure.
#pragma once

#include <cstdint>

namespace modelpatch::train {

// After the warm-up: a cosine to zero, or constant.
enum class LearningRateSchedule { kCosine, kConstant };

// The rate at `step`, from 0: a linear warm-up, base·(step + 1)/warmup while step < warmup, and then base·½(1 +
// cos(π(step − warmup)/(total − warmup))), or base. The peak is used twice, and the cosine's last step is not 0.
// Source: mlfoundations/patching src/utils.py, cosine_lr.
double LearningRateAt(int64_t step, double base, int64_t warmup_steps, int64_t total_steps,
                      LearningRateSchedule schedule = LearningRateSchedule::kCosine);

}  // namespace modelpatch::train
