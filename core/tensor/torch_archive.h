// The state dict in a file that torch.save wrote (PyTorch 1.6 and later): a zip archive with a pickle and storages.
//
// Nothing in it is executed; see pickle_reader.h. Torch-free; thread safety: pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/tensor/safetensors_header.h"

namespace modelpatch::tensor {

struct ArchivedTensor {
  // `begin` and `end` are those of the tensor's own bytes, from the start of the file.
  TensorInfo info;
  // In elements, one a dimension; empty for a tensor whose elements lie in order.
  std::vector<int64_t> strides;
};

// The tensors by name: see ReadStateDictPickle. INVALID_ARGUMENT: ZIP_*, PICKLE_*, TORCH_ARCHIVE_INVALID (no data.pkl
// in it, a storage that is missing or too short, a tensor outside its storage, tensors that share or repeat their
// storage to more than twice the file's size, big-endian data), TORCH_ARCHIVE_TOO_OLD (a file of PyTorch before 1.6).
absl::StatusOr<std::vector<ArchivedTensor>> ParseTorchArchive(std::string_view file);

}  // namespace modelpatch::tensor
