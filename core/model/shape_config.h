// The architecture of a state dict without a config, told by the shapes of its tensors. Thread safety: pure.
#pragma once

#include "core/base/status.h"
#include "core/model/config.h"
#include "core/model/tensor_table.h"

namespace modelpatch::model {

// What openai/CLIP clip/model.py, build_model, would build: a ViT or a ModifiedResNet with QuickGELU, heads of 64
// channels, and text pooled at the largest id. The result has passed CheckModelConfig. INVALID_ARGUMENT:
// MODEL_FILE_MISSING (the names are Hugging Face's, so that there should be a config.json), MODEL_TENSORS_MISMATCH
// (a tensor that tells the shape is missing or has another rank), MODEL_CONFIG_INVALID.
absl::StatusOr<ModelConfig> ConfigOfShapes(const TensorTable& tensors);

}  // namespace modelpatch::model
