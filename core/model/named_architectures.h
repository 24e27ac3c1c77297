// The architectures that OpenAI and OpenCLIP published under a name. Torch-free. Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/model/config.h"

namespace modelpatch::model {

// The config of `name`, which is one of
//   - OpenCLIP's names, such as ViT-B-32 or RN50x4 (open_clip model_configs/, CLIP with a ViT or a ModifiedResNet),
//   with
//     GELU;
//   - the same with `-quickgelu` behind;
//   - OpenAI's names of ViTs, such as ViT-L/14@336px (clip/clip.py, available_models), with QuickGELU.
// INVALID_ARGUMENT (UNKNOWN_ARCHITECTURE) lists the names.
absl::StatusOr<ModelConfig> NamedArchitecture(std::string_view name);

// Those of OpenCLIP, in the order of their sizes within a family.
std::vector<std::string> ArchitectureNames();

}  // namespace modelpatch::model
