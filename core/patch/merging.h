// Merging: one task vector τ out of several checkpoints, τᵢ = θᵢ − θ_zs with coefficients cᵢ. A live α scales it.
//
// The order of the checkpoints changes no bit: they are taken in the order of their blobs' digests. The methods act on
// the trained weights; BatchNorm's running statistics are averaged, weighted by cᵢ (divided by Σcᵢ where that exceeds
// 1, and always for the methods that average), so that a variance stays positive. Only task arithmetic is linear in
// them as in all else. Arithmetic is in double precision, rounded once. A merge is done in the CPU's memory, wherever
// the weights are. Pure functions; nobody else may use `out` meanwhile.
#pragma once

#include <memory>
#include <span>

#include "core/base/cancellation.h"
#include "core/patch/interpolation.h"
#include "core/patch/merge_options.h"

namespace modelpatch::patch {

struct MergeInput {
  // θ_zs.
  const tensor::WeightSet& base;
  // Of base's layout and on its device. A blob may be there twice.
  std::span<const BlobWeights> checkpoints;
  // cᵢ of each. Finite; ≥ 0, and not all 0, for the methods that average (TIES, Fisher, slerp).
  std::span<const double> coefficients;
  // For Fisher alone: the diagonal Fisher information of each checkpoint, ≥ 0, in the places of the weights.
  std::span<const std::shared_ptr<const tensor::WeightSet>> fishers;
};

// out = θ_zs + τ.
//   task arithmetic  τ = Σ cᵢτᵢ, as Interpolate has it to the bit. (Ilharco et al. 2023, section 2.)
//   TIES             keeps of each τᵢ the `density` of all trained weights that is largest in magnitude (and what
//   equals
//                    the smallest of them), elects for each weight the sign of Σ cᵢτᵢ of what was kept, and takes the
//                    mean, weighted by cᵢ, of the kept entries with that sign. (Yadav et al. 2023, algorithm 1.)
//   DARE             drops each entry of each τᵢ with the probability `drop_rate`, a function of (seed, blob, place),
//                    and τ = Σ cᵢ·kept(τᵢ) / (1 − drop_rate). (Yu et al. 2024, section 3.2.)
//   Fisher           θ = Σ cᵢFᵢθᵢ / Σ cᵢFᵢ; the mean weighted by cᵢ where no checkpoint has any information. (Matena
//   and
//                    Raffel 2022, equation 4.)
//   slerp            with t = c₂ / (c₁ + c₂) and Ω the angle between τ₁ and τ₂ (the first and second by digest):
//                    τ = ((1 − t)‖τ₁‖ + t‖τ₂‖)·(sin((1 − t)Ω)·τ₁/‖τ₁‖ + sin(tΩ)·τ₂/‖τ₂‖) / sin Ω; linear where the
//                    two are parallel or one is zero. (Shoemake 1985, section 3.3.)
// INVALID_ARGUMENT as CheckMerge, and BAD_COEFFICIENT with the field `coefficients[i]` or `coefficients`;
// FAILED_PRECONDITION: LAYOUT_MISMATCH, BAD_FISHER for information that is missing, negative or not finite,
// OPPOSITE_TASK_VECTORS for a slerp without a shorter arc; WEIGHTS_NOT_FINITE; CANCELLED;
// RESOURCE_EXHAUSTED (OUT_OF_MEMORY).
absl::Status MergeCheckpoints(const MergeInput& input, const MergeOptions& options,
                              const base::CancellationToken& cancellation, const tensor::WeightSet& out);

}  // namespace modelpatch::patch
