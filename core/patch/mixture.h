// Mixture: a base model and weighted checkpoints, θ = θ_zs + Σ αᵢ·(θᵢ − θ_zs). Plain values; pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::patch {

struct MixtureTerm {
  // The digest of the checkpoint's blob.
  std::string blob;
  double coefficient;

  bool operator==(const MixtureTerm&) const = default;
};

// Checks coefficients, and their sum where several terms name one blob: finite, and in [0, 1] unless
// `allow_extrapolation`. INVALID_ARGUMENT (BAD_COEFFICIENT) with the field `terms[i].coefficient`, or `terms` for a
// sum.
absl::Status CheckTerms(std::span<const MixtureTerm> terms, bool allow_extrapolation);

// The one way of writing a mixture: terms of one blob added up, zero coefficients dropped, in the order of the blobs'
// digests; so the order of a request changes no bit of the result.
std::vector<MixtureTerm> CanonicalTerms(std::span<const MixtureTerm> terms);

// The terms of (1 − alpha)·start + alpha·end, canonical. At alpha 0 and 1 they are exactly those of start and end.
std::vector<MixtureTerm> TermsBetween(std::span<const MixtureTerm> start, std::span<const MixtureTerm> end,
                                      double alpha);

}  // namespace modelpatch::patch
