// The fine-tuning step: opens model and tasks, trains, stores the blobs of what the training made.
#pragma once

#include "core/train/step_result.h"
#include "core/train/step_runner.h"

namespace modelpatch::train {

absl::StatusOr<FineTuneResult> RunFineTuneStep(const StepSpec& step, const FineTuneSpec& spec,
                                               const StepEnvironment& environment,
                                               const base::CancellationToken& cancellation, StepEvents& events);

}  // namespace modelpatch::train
