// A torch.nn.Module that was pickled whole, as PAINT and task vectors save their encoders: an inert object, of which
// the attributes that hold tensors are read and no class is loaded.
//
// Torch-free; thread safety: pure. Source: torch/nn/modules/module.py, Module.state_dict.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/tensor/pickle_reader.h"

namespace modelpatch::tensor {

// Whether `global` names something that lies in such a pickle and holds nothing but attributes: modules of torch.nn, of
// OpenAI's clip, of OpenCLIP and of PAINT's own source, and the image transforms beside them.
bool IsModuleGlobal(std::string_view global);

struct NamedValue {
  std::string name;
  PickleIndex value = 0;
};

// The parameters and buffers of the object `root` and of the modules in it, under the names that state_dict() gives
// them; what is None is left out. INVALID_ARGUMENT (PICKLE_CORRUPT) if modules hold each other too deep or too often.
absl::StatusOr<std::vector<NamedValue>> ListModuleTensors(const PickleTable& table, PickleIndex root);

}  // namespace modelpatch::tensor
