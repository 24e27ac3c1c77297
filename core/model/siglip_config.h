// `config.json` of a Hugging Face SiglipModel, read and written. Thread safety: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/base/status.h"
#include "core/model/config.h"

namespace modelpatch::model {

// Reads a config.json of `model_type` "siglip". Published ones leave out most fields, which then have the defaults of
// transformers' SiglipTextConfig and SiglipVisionConfig (siglip-base-patch16-224). The embedding has the width of the
// image tower, which the text tower's `projection_size` (its own width if left out) must be too. The result has not
// been through CheckModelConfig. INVALID_ARGUMENT (MODEL_CONFIG_INVALID, with the path of the field).
absl::StatusOr<ModelConfig> ReadSiglipConfig(const nlohmann::json& root);

// A config.json that transformers and ReadSiglipConfig read as `config`; every field is written out.
std::string WriteSiglipConfig(const ModelConfig& config);

}  // namespace modelpatch::model
