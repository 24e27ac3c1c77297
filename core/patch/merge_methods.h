// The methods of merging.h on plain memory. Each writes the trained weights of `out`; buffers are for AverageBuffers.
//
// Torch-free interface; pure functions that nobody else may disturb.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/patch/merge_options.h"

namespace modelpatch::patch {

struct MergeParts {
  struct Checkpoint {
    std::string blob;
    // Finite, as the coefficient.
    const float* weights;
    double coefficient;
    // For Fisher alone.
    const float* fisher;
  };
  // θ_zs.
  const float* base;
  // In the order of the blobs.
  std::vector<Checkpoint> checkpoints;
  // Elements of the trained range, padding included (it is zero everywhere), and without it.
  int64_t trainable_size;
  int64_t trainable_count;
  int64_t storage_size;
  float* out;
};

void MergeByTies(const MergeParts& parts, double density);
void MergeByDare(const MergeParts& parts, double drop_rate, uint64_t seed);
// FAILED_PRECONDITION (BAD_FISHER).
absl::Status MergeByFisher(const MergeParts& parts);
// FAILED_PRECONDITION (OPPOSITE_TASK_VECTORS).
absl::Status MergeBySlerp(const MergeParts& parts);

// The buffers' part of `out`: base + Σ cᵢ·(θᵢ − base) / divisor.
void AverageBuffers(const MergeParts& parts, double divisor);

// Σcᵢ.
double CoefficientSum(const MergeParts& parts);

}  // namespace modelpatch::patch
