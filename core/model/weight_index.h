// The index of a model whose weights lie in several files, and which files have to be read.
//
// Torch-free. Thread safety: plain values and pure functions, but for PlanWeightFiles, which reads.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/model/model_file_names.h"
#include "core/model/tensor_table.h"

namespace modelpatch::model {

// What a `*.index.json` says: the file of each tensor.
using WeightIndex = std::map<std::string, std::string, std::less<>>;

// INVALID_ARGUMENT: WEIGHT_INDEX_INVALID (not the JSON that it must be, no tensors, a file's name that is not a plain
// name of a weight file), WEIGHT_INDEX_DUPLICATE (a tensor twice).
absl::StatusOr<WeightIndex> ParseWeightIndex(std::string_view index_json);

struct WeightFilePlan {
  std::vector<std::string> files;  // sorted
  WeightIndex index;               // empty for a model in one file
};

// Reads the index in `directory` if `names` has one; the weight files need not be there. Errors: those of
// ParseWeightIndex and base::ReadFile.
absl::StatusOr<WeightFilePlan> PlanWeightFiles(const std::string& directory, const ModelFileNames& names);

// Whether every tensor of the index is in the file that it names; `tensors` has the plan's files in their order.
// INVALID_ARGUMENT (MODEL_TENSORS_MISMATCH).
absl::Status CheckIndex(const WeightFilePlan& plan, const TensorTable& tensors);

}  // namespace modelpatch::model
