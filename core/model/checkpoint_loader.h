// Reads image-encoder weights that another tool fine-tuned from a model that we have.
#pragma once

#include <string>

#include "core/base/cancellation.h"
#include "core/model/clip_model.h"
#include "core/tensor/weight_set.h"

namespace modelpatch::model {

// The image tower in the weight files of `directory` (see ChooseCheckpointFiles), in fp32 on the CPU, with the layout
// of `model`. A config beside the weights must be the model's. Of the text tower, whose weights a patch must not
// change, everything may be missing; what is there must be the model's own, but for the rounding to the file's dtype.
// INVALID_ARGUMENT: a parser's own reasons (SAFETENSORS_*, ZIP_*, PICKLE_*, WEIGHT_INDEX_*, MODEL_CONFIG_*),
// MODEL_FILE_MISSING, MODEL_FILES_AMBIGUOUS, MODEL_TENSORS_MISMATCH, MODEL_TENSOR_NOT_FINITE,
// CHECKPOINT_CONFIG_DIFFERS, CHECKPOINT_TEXT_TOWER_DIFFERS (at most ten tensors named).
absl::StatusOr<tensor::WeightSet> LoadCheckpoint(const ClipModel& model, const std::string& directory,
                                                 const base::CancellationToken& cancellation);

}  // namespace modelpatch::model
