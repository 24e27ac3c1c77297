// Weight sets on disk: one fp32 safetensors file, a tensor per weight under its canonical name.
#pragma once

#include <map>
#include <string>

#include "core/tensor/weight_set.h"

namespace modelpatch::tensor {

// Writes `weights` (on any device) to `path`, whole or not at all.
absl::Status WriteWeightFile(const std::string& path, const WeightSet& weights,
                             const std::map<std::string, std::string>& metadata);

// Reads a file written by WriteWeightFile into a weight set on the CPU. DATA_LOSS (WEIGHT_FILE_MISMATCH) if its tensors
// are not those of `layout`.
absl::StatusOr<WeightSet> ReadWeightFile(const std::string& path, std::shared_ptr<const WeightLayout> layout);

}  // namespace modelpatch::tensor
