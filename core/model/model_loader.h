// Loads a CLIP from a directory in any of the layouts that people have, checking everything.
//
// Which layouts: see model_file_names.h. The weight files are mapped and their tensors copied once, into θ_zs and the
// text tower's weights.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/cancellation.h"
#include "core/model/clip_model.h"
#include "core/model/model_file_names.h"
#include "core/model/model_writer.h"
#include "core/model/tensor_table.h"

namespace modelpatch::model {

// What each of a model's small files may have.
inline constexpr uint64_t kMaximumModelTextBytes = uint64_t{64} << 20;

// INVALID_ARGUMENT: a parser's own reasons (SAFETENSORS_*, WEIGHT_INDEX_*, MODEL_CONFIG_*, MODEL_TYPE_UNSUPPORTED,
// VOCABULARY_*, MERGES_*, TOKENIZER_*), and MODEL_FILE_MISSING, MODEL_FILES_AMBIGUOUS, MODEL_TENSOR_DUPLICATE,
// MODEL_TENSORS_MISMATCH (missing, unexpected or wrongly shaped tensors, at most ten named), MODEL_TENSOR_NOT_FINITE,
// MODEL_LOGIT_SCALE_INVALID, MODEL_VOCABULARY_MISMATCH, MODEL_PREPROCESS_MISMATCH.
absl::StatusOr<std::shared_ptr<const ClipModel>> LoadModel(const std::string& directory, const tensor::Device& device,
                                                           const base::CancellationToken& cancellation);

// The files that LoadModel would read of `directory`. INVALID_ARGUMENT: those of ChooseModelFiles, with the directory.
absl::StatusOr<ModelFileNames> ChooseFilesIn(const std::string& directory);

// The same for LoadCheckpoint (checkpoint_loader.h).
absl::StatusOr<ModelFileNames> ChooseCheckpointFilesIn(const std::string& directory);

// What LoadModel would say of the small files in `directory`, of those that `names` chose, and of weight files with
// these tensors, which need not be there yet: so that a file of any size is not copied only to be refused.
absl::Status CheckModelBeforeWeights(const std::string& directory, const ModelFileNames& names,
                                     const TensorTable& tensors);

// FAILED_PRECONDITION (MODEL_FAMILY_UNVERIFIED) if the small files in `directory` are those of a family whose outputs
// were never compared with a reference's: SigLIP. Who imports one has to say that this is known.
absl::Status CheckFamilyIsVerified(const std::string& directory, const ModelFileNames& names);

// What WriteModel takes to write `model`, which was loaded from `directory`, again.
absl::StatusOr<ModelFiles> FilesOf(const ClipModel& model, const std::string& directory);

}  // namespace modelpatch::model
