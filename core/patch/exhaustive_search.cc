#include <vector>

#include "core/patch/search_methods.h"

namespace modelpatch::patch {

absl::Status SearchExhaustively(const CoefficientSearchOptions& options, SearchCandidates& candidates) {
  const size_t count = candidates.space().checkpoints;
  std::vector<size_t> digits(count, 0);
  std::vector<double> coefficients(count);
  // Counts through all combinations, the last coefficient fastest.
  while (true) {
    for (size_t i = 0; i < count; ++i) coefficients[i] = options.grid[digits[i]];
    if (candidates.space().Contains(coefficients)) MP_RETURN_IF_ERROR(candidates.Evaluate(coefficients).status());
    size_t place = count;
    while (place > 0 && digits[place - 1] + 1 == options.grid.size()) digits[--place] = 0;
    if (place == 0) return absl::OkStatus();
    ++digits[place - 1];
  }
}

}  // namespace modelpatch::patch
