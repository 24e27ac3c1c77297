// The tensors of a state dict that torch.save pickled, as views into storages that lie outside the pickle.
//
// Torch-free; thread safety: pure. Sources: torch/serialization.py, torch/_utils.py.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/tensor/safetensors_header.h"

namespace modelpatch::tensor {

// A tensor as a view into a storage, all in elements; nothing of it has been compared with the storage.
struct PickledTensor {
  std::string name;
  DType dtype = DType::kFloat32;
  std::string storage;       // the key of the storage
  int64_t storage_size = 0;  // of the whole storage
  int64_t storage_offset = 0;
  std::vector<int64_t> shape;    // no negative numbers
  std::vector<int64_t> strides;  // as many as there are sizes
};

// The tensors of the outermost dictionary, or of its member `state_dict` if it has one; other values are left out. Of a
// torch.nn.Module that was pickled whole, what its state_dict() would hold.
// INVALID_ARGUMENT: those of ReadPickle; PICKLE_CORRUPT also for a tensor whose parts are not what they must be and for
// a name twice; PICKLE_NO_STATE_DICT.
absl::StatusOr<std::vector<PickledTensor>> ReadStateDictPickle(std::string_view pickle);

}  // namespace modelpatch::tensor
