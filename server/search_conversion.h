// The coefficient search of a job: checked, with its defaults filled in, as core takes it. Pure functions.
#pragma once

#include <cstddef>

#include "core/base/status.h"
#include "core/patch/coefficient_search.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

// Fills in the defaults of `search` for that many checkpoints. INVALID_ARGUMENT (BAD_SEARCH_OPTION) with the field's
// path in the message, such as `exhaustive.coefficients[3]`.
absl::StatusOr<patch::CoefficientSearchOptions> ResolveCoefficientSearch(v1::CoefficientSearch& search,
                                                                         size_t checkpoints);

}  // namespace modelpatch::server
