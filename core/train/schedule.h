// The learning-rate schedule of fine-tuning. Torch-free; pure.
#pragma once

#include <cstdint>

namespace modelpatch::train {

// Linear warm-up, then a cosine to zero, at `step` from 0: base·(step + 1)/warmup while step < warmup, then
// base·½(1 + cos(π(step − warmup)/(total − warmup))). The peak is used twice and the last step is not 0.
// Source: mlfoundations/patching src/utils.py, cosine_lr.
double LearningRateAt(int64_t step, double base, int64_t warmup_steps, int64_t total_steps);

}  // namespace modelpatch::train
