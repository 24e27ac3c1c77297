// Copies the weights of one tower out of a model's files, checking and digesting them on the way.
#pragma once

#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/model/source_names.h"
#include "core/model/weight_files.h"
#include "core/tensor/weight_set.h"

namespace modelpatch::model {

// Fills `weights` (fp32, on its device) from the files, several weights at a time, and returns a digest of each:
// SHA-256 over its canonical name, its dtype in the layout and its values in that dtype, row by row under the canonical
// name, so that every layout that holds the same weights gives the same digests. INVALID_ARGUMENT
// (MODEL_TENSOR_NOT_FINITE) names the first tensor that holds NaN or infinity; CANCELLED. Throws what libtorch throws.
absl::StatusOr<std::vector<std::string>> CopyWeights(const WeightFiles& files, SourceNames names,
                                                     const tensor::WeightSet& weights,
                                                     const base::CancellationToken& cancellation);

}  // namespace modelpatch::model
