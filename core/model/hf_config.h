// `config.json` of a Hugging Face CLIPModel or SiglipModel, read and written. Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/model/config.h"

namespace modelpatch::model {

// Reads a config.json of `model_type` "clip" or "siglip" (siglip_config.h). Fields of the first that a file leaves out
// have the defaults of transformers' CLIPConfig (ViT-B/32); the older `text_config_dict` and `vision_config_dict`,
// where they are there, replace `text_config` and `vision_config` whole, as in transformers: what such a dictionary
// leaves out has its default. `eos_token_id` 2, which published configs carry by mistake, means pooling at the largest
// id. The result has passed CheckModelConfig. INVALID_ARGUMENT: MODEL_CONFIG_NOT_JSON, MODEL_TYPE_UNSUPPORTED (names
// the type), MODEL_CONFIG_INVALID (with the path of the field).
absl::StatusOr<ModelConfig> ParseHuggingFaceConfig(std::string_view config_json);

// A config.json, of a model of square images, that transformers and ParseHuggingFaceConfig read as `config`; every
// field is written out. Pooling at the largest id is written as `eos_token_id` 2.
std::string WriteHuggingFaceConfig(const ModelConfig& config);

}  // namespace modelpatch::model
