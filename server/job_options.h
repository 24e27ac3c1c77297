// The choices of a patch job: checked, and with their defaults filled in. Pure functions.
#pragma once

#include "core/base/status.h"
#include "core/train/step_spec.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

// Fills in the defaults of `options` and returns them as core takes them. INVALID_ARGUMENT (BAD_FINE_TUNE_OPTION) with
// the option's path as the field, such as `elastic_weight_consolidation.weight`. Whether the tasks that it names are
// there is for the caller to see.
absl::StatusOr<train::FineTuneOptions> ResolveFineTuneOptions(v1::FineTuneOptions& options);

struct AlphaChoice {
  patch::AlphaPolicy policy = patch::AlphaPolicy::kMean;
  double fixed_alpha = 1;
  double epsilon_points = 0;
  // Ascending, 0 and 1 among them, and the fixed α if there is one.
  std::vector<double> alphas;
};

// Fills in the policy and the grid of `spec`. INVALID_ARGUMENT: BAD_ALPHA, DUPLICATE_ALPHA, BAD_EPSILON, with fields.
absl::StatusOr<AlphaChoice> ResolveAlphas(v1::PatchJobSpec& spec);

}  // namespace modelpatch::server
