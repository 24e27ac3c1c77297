// `open_clip_config.json` of an OpenCLIP model: its towers, and its preprocessing. Thread safety: pure functions.
#pragma once

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
// (LAYOUT_UNSUPPORTED): the towers have different activations, of which one is QuickGELU; or images are cropped to less
// than they are resized to.
absl::StatusOr<std::string> WriteOpenClipConfig(const OpenClipConfig& config);

}  // namespace modelpatch::model
