// TensorTable: the tensors of a model's weight files by name, from the files' headers alone.
//
// Torch-free. A plain value; thread-safe once filled.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/tensor/safetensors_header.h"
#include "core/tensor/torch_archive.h"

namespace modelpatch::model {

struct StoredTensor {
  tensor::TensorInfo info;  // begin and end from the start of the file
  // In elements; empty for a tensor whose elements lie in order.
  std::vector<int64_t> strides;
  size_t file = 0;  // which of the files that were added, from 0
};

class TensorTable {
 public:
  // Adds the tensors of the next file. INVALID_ARGUMENT (MODEL_TENSOR_DUPLICATE) if a file before has one of them.
  absl::Status Add(const tensor::SafetensorsHeader& header);
  absl::Status Add(const std::vector<tensor::ArchivedTensor>& archive);

  // Takes `module.` and `model.` off the names where all of them begin with it: what is left of a model that was saved
  // inside another module (DistributedDataParallel; the ImageEncoder of PAINT).
  void StripWrappers();

  // By name.
  const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }
  // The tensor of that name, or null.
  const StoredTensor* Find(std::string_view name) const;

 private:
  absl::Status Insert(StoredTensor stored);

  std::map<std::string, StoredTensor, std::less<>> tensors_;
  size_t files_ = 0;
};

}  // namespace modelpatch::model
