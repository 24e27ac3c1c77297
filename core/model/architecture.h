// Architecture: the towers that a config asks for, matched with the tensors that the weight files have.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/model/config.h"
#include "core/model/image_encoder.h"
#include "core/model/source_names.h"
#include "core/model/tensor_table.h"
#include "core/model/text_encoder.h"

namespace modelpatch::model {

struct Architecture {
  SourceNames names = SourceNames::kHuggingFace;
  std::shared_ptr<const ImageEncoder> image_encoder;
  std::shared_ptr<const TextEncoder> text_encoder;
  // With the dtypes that the weights have in the files.
  std::vector<tensor::WeightSpec> image_specs;
  std::vector<tensor::WeightSpec> text_specs;
};

// Checks that the tensors are the weights of `config`'s towers, neither more nor fewer. INVALID_ARGUMENT
// (MODEL_TENSORS_MISMATCH) names at most ten that are missing, unexpected, or of another shape or dtype.
absl::StatusOr<Architecture> MatchArchitecture(const ModelConfig& config, const TensorTable& tensors);

// Checks that the tensors are image-encoder weights of `config`, all of them, beside any of its text tower's, and says
// under which names. INVALID_ARGUMENT: as MatchArchitecture.
absl::StatusOr<SourceNames> MatchCheckpoint(const ModelConfig& config, const TensorTable& tensors);

}  // namespace modelpatch::model
