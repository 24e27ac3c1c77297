// The search step: sweeps α on validation data, chooses, and measures the choice on test data.
#pragma once

#include "core/train/step_result.h"
#include "core/train/step_runner.h"

namespace modelpatch::train {

absl::StatusOr<SearchResult> RunSearchStep(const StepSpec& step, const SearchSpec& spec,
                                           const StepEnvironment& environment,
                                           const base::CancellationToken& cancellation, StepEvents& events);

}  // namespace modelpatch::train
