#include "core/train/step_runner.h"

#include <variant>

#include "core/tensor/compat.h"
#include "core/train/fine_tune_step.h"
#include "core/train/search_step.h"

namespace modelpatch::train {

absl::StatusOr<std::string> RunStep(const StepSpec& spec, const StepEnvironment& environment,
                                    const base::CancellationToken& cancellation, StepEvents& events) {
  if (const auto* fine_tune = std::get_if<FineTuneSpec>(&spec.work)) {
    MP_ASSIGN_OR_RETURN(const FineTuneResult result,
                        RunFineTuneStep(spec, *fine_tune, environment, cancellation, events));
    return FineTuneResultToJson(result);
  }
  MP_ASSIGN_OR_RETURN(const SearchResult result,
                      RunSearchStep(spec, std::get<SearchSpec>(spec.work), environment, cancellation, events));
  return SearchResultToJson(result);
}

}  // namespace modelpatch::train
