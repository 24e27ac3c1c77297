// What a patch job may ask for together with what. Pure functions.
#pragma once

#include "core/base/status.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

// Fills in the strategy. INVALID_ARGUMENT with the field in the spec: NO_TASKS, TOO_MANY_TASKS, TOO_FEW_TASKS (of a
// strategy for several), BAD_STRATEGY, BAD_TASK_BALANCE, UNEXPECTED_FIELD (a choice that the strategy does not have),
// TOO_FEW_CHECKPOINTS, DUPLICATE_CHECKPOINT, BAD_ORDER_SEED.
absl::Status CheckStrategy(v1::PatchJobSpec& spec);

}  // namespace modelpatch::server
