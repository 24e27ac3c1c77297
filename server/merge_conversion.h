// Merging methods between the API's messages and core's options. Pure functions.
#pragma once

#include <cstddef>

#include "core/base/status.h"
#include "core/patch/merge_options.h"
#include "modelpatch/v1/merge.pb.h"

namespace modelpatch::server {

// With the defaults for what is absent, checked for this number of checkpoints. INVALID_ARGUMENT: NO_MERGE_METHOD,
// BAD_MERGE_OPTION and BAD_TERM_COUNT (see patch::CheckMerge); fields as `ties.density`, relative to the message.
absl::StatusOr<patch::MergeOptions> MergeOptionsOf(const v1::Merge& merge, size_t checkpoints);

// With all fields of its method filled in.
v1::Merge MergeMessage(const patch::MergeOptions& options);

}  // namespace modelpatch::server
