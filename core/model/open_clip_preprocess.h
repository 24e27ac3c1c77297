// The `preprocess_cfg` of an open_clip_config.json (open_clip transform.py, PreprocessCfg and image_transform). Thread
// safety: pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/base/status.h"
#include "core/data/preprocess_config.h"
#include "core/model/config_section.h"

namespace modelpatch::model {

// Reads `section`, whose members are known ones, for a model that takes images of `image_size`: its own `size` says
// nothing, since OpenCLIP puts the model's in its place. What is left out has OpenCLIP's default, which is CLIP's. Mean
// and deviation are judged as those of a preprocessor_config.json; one number stands for three. INVALID_ARGUMENT:
// MODEL_CONFIG_INVALID (with the path of the member), and those of ParsePreprocessConfig.
absl::StatusOr<data::PreprocessConfig> ReadOpenClipPreprocess(ConfigSection& section, data::ImageSize image_size);

// What ReadOpenClipPreprocess reads as `config`, which must not have a resize size of its own.
nlohmann::ordered_json WriteOpenClipPreprocess(const data::PreprocessConfig& config);

}  // namespace modelpatch::model
