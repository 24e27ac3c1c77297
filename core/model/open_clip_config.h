// `open_clip_config.json` of an OpenCLIP model: its towers, and its preprocessing. Thread safety: pure functions.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/data/preprocess.h"
#include "core/model/config.h"

namespace modelpatch::model {

struct OpenClipConfig {
  ModelConfig model;
  data::PreprocessConfig preprocess;
};

// Reads `model_cfg` (CLIP with a ViT or a ModifiedResNet; defaults as in open_clip model.py, CLIPVisionCfg and
// CLIPTextCfg) and `preprocess_cfg` (CLIP's own mean and standard deviation if left out). A member that changes the
// model in a way that we do not know is refused, not ignored. The model has passed CheckModelConfig. INVALID_ARGUMENT:
// MODEL_CONFIG_NOT_JSON, MODEL_CONFIG_INVALID and MODEL_TYPE_UNSUPPORTED (with the path of the member), and those of
// ParsePreprocessConfig.
absl::StatusOr<OpenClipConfig> ParseOpenClipConfig(std::string_view config_json);

// An open_clip_config.json that OpenCLIP and ParseOpenClipConfig read as `config`. FAILED_PRECONDITION
// (LAYOUT_UNSUPPORTED): the towers have different activations, of which one is QuickGELU.
absl::StatusOr<std::string> WriteOpenClipConfig(const OpenClipConfig& config);

// The numbers with as few digits as tell them apart from other floats: 0.48145466, not 0.4814546704292297.
nlohmann::ordered_json AsDecimals(const std::array<float, 3>& values);

}  // namespace modelpatch::model
