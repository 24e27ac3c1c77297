// The result of a job, from what its last search found. Pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/store/records.h"
#include "core/train/step_result.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

// `steps` are those of the job, all of which have succeeded. DATA_LOSS (METADATA_CORRUPT, BAD_STEP_RESULT).
absl::StatusOr<v1::PatchJobResult> MakeJobResult(const v1::PatchJobSpec& spec,
                                                 const std::vector<store::StepRecord>& steps);

}  // namespace modelpatch::server
