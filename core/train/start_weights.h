// The weights that an earlier step of the job found: its mixture, if it was a search, or its fine-tuned weights.
//
// Pure functions that read files.
#pragma once

#include <string>
#include <vector>

#include "core/model/clip_model.h"
#include "core/patch/mixture.h"

namespace modelpatch::train {

// The terms of the step in `directory`, canonical; none for θ_zs. Errors: those of reading `result.json`; DATA_LOSS
// (BAD_STEP_RESULT).
absl::StatusOr<std::vector<patch::MixtureTerm>> ReadResultTerms(const std::string& directory);

struct StartWeights {
  // None for θ_zs.
  std::vector<patch::MixtureTerm> terms;
  // On the model's device.
  tensor::WeightSet weights;
};

// The weights of the step in `directory`, or θ_zs itself if `directory` is empty. Errors: also those of BlobStore::Get
// and InterpolateTerms.
absl::StatusOr<StartWeights> ReadStartWeights(const std::string& directory, const model::ClipModel& model,
                                              const std::string& blob_directory);

}  // namespace modelpatch::train
