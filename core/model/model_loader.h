// Loads a CLIP from a directory in the Hugging Face layout, checking everything.
//
// Files: config.json, model.safetensors, preprocessor_config.json, vocab.json, merges.txt. The safetensors file is
// mapped and its tensors copied once, into θ_zs and the text tower's weights.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/model/clip_model.h"
#include "core/tensor/safetensors_header.h"

namespace modelpatch::model {

// The names of the files that make a model, in the order in which they enter its digest; model.safetensors is the last.
const std::vector<std::string>& ModelFileNames();

// What each of them but model.safetensors may have.
inline constexpr uint64_t kMaximumModelTextBytes = uint64_t{64} << 20;

// INVALID_ARGUMENT: a parser's own reasons (SAFETENSORS_*, MODEL_CONFIG_*, VOCABULARY_*, MERGES_*), and
// MODEL_FILE_MISSING, MODEL_TENSORS_MISMATCH (missing, unexpected or wrongly shaped tensors, at most ten named),
// MODEL_TENSOR_DTYPE, MODEL_TENSOR_NOT_FINITE, MODEL_LOGIT_SCALE_INVALID, MODEL_VOCABULARY_MISMATCH,
// MODEL_PREPROCESS_MISMATCH.
absl::StatusOr<std::shared_ptr<const ClipModel>> LoadModel(const std::string& directory, const tensor::Device& device,
                                                           const base::CancellationToken& cancellation);

// What LoadModel would say of the small files in `directory` and of a weight file with this header, which need not be
// there yet: so that a file of any size is not copied only to be refused.
absl::Status CheckModelBeforeWeights(const std::string& directory, const tensor::SafetensorsHeader& weights);

}  // namespace modelpatch::model
