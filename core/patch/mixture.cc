#include "core/patch/mixture.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

namespace modelpatch::patch {

namespace {

// Ten terms of 0.1 may add up to a little more than 1.
constexpr double kRounding = 1e-12;

absl::Status CheckCoefficient(double value, bool allow_extrapolation) {
  if (!std::isfinite(value)) {
    return base::InvalidArgument("BAD_COEFFICIENT", fmt::format("the coefficient is {}; give a finite number", value));
  }
  if (!allow_extrapolation && (value < 0 || value > 1 + kRounding)) {
    return base::InvalidArgument(
        "BAD_COEFFICIENT",
        fmt::format("the coefficient {} lies outside [0, 1]; set allow_extrapolation to go beyond", value));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTerms(std::span<const MixtureTerm> terms, bool allow_extrapolation) {
  for (size_t i = 0; i < terms.size(); ++i) {
    MP_RETURN_IF_ERROR(base::WithField(CheckCoefficient(terms[i].coefficient, allow_extrapolation),
                                       fmt::format("terms[{}].coefficient", i)));
  }
  for (const MixtureTerm& sum : CanonicalTerms(terms)) {
    MP_RETURN_IF_ERROR(base::WithField(base::WithContext(CheckCoefficient(sum.coefficient, allow_extrapolation),
                                                         "the terms of one checkpoint together"),
                                       "terms"));
  }
  return absl::OkStatus();
}

std::vector<MixtureTerm> CanonicalTerms(std::span<const MixtureTerm> terms) {
  std::map<std::string, double> sums;
  for (const MixtureTerm& term : terms) sums[term.blob] += term.coefficient;
  std::vector<MixtureTerm> canonical;
  for (const auto& [blob, coefficient] : sums) {
    if (coefficient != 0) canonical.push_back({blob, coefficient});
  }
  return canonical;
}

std::vector<MixtureTerm> TermsBetween(std::span<const MixtureTerm> start, std::span<const MixtureTerm> end,
                                      double alpha) {
  std::vector<MixtureTerm> terms;
  for (const MixtureTerm& term : start) terms.push_back({term.blob, (1 - alpha) * term.coefficient});
  for (const MixtureTerm& term : end) terms.push_back({term.blob, alpha * term.coefficient});
  return CanonicalTerms(terms);
}

}  // namespace modelpatch::patch
