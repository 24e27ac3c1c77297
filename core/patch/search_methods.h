// The methods of coefficient search beyond the uniform one: each adds candidates to those that are there, which are the
// uniform ones. See SearchCoefficients.
#pragma once

#include "core/patch/search_candidates.h"

namespace modelpatch::patch {

absl::Status SearchExhaustively(const CoefficientSearchOptions& options, SearchCandidates& candidates);
absl::Status SearchAsBlackBox(const CoefficientSearchOptions& options, SearchCandidates& candidates);
// Adds what the gradients cost to `gradient_evaluations`.
absl::Status SearchByGradient(const CoefficientSearchOptions& options, SearchCandidates& candidates,
                              double& gradient_evaluations);

// How many candidates SearchByGradient evaluates at most.
int64_t MaximumGradientCandidates();

}  // namespace modelpatch::patch
