// Writes what torch.save writes, byte for byte in form: a stored zip archive with a pickle of protocol 2 and storages.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace modelpatch::testing {

struct TensorToSave {
  std::string name;
  std::string storage_class;  // "FloatStorage"
  std::string bytes;          // of the storage
  int64_t elements = 0;       // of the storage
  int64_t offset = 0;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};

// The pickle of {"name": tensor, …}; the storages have the keys "0", "1", …
std::string PickleStateDict(const std::vector<TensorToSave>& tensors);

// A zip archive whose members are stored.
std::string StoredZip(const std::vector<std::pair<std::string, std::string>>& members);

// archive/data.pkl, archive/byteorder, archive/data/0, …
std::string SaveStateDict(const std::vector<TensorToSave>& tensors);

// A torch.nn.Module pickled whole.
struct ModuleToSave {
  std::string class_name;  // "module\nName"
  std::vector<TensorToSave> parameters;
  std::vector<std::pair<std::string, ModuleToSave>> modules;
};

// What torch.save(module) writes, without the attributes that hold no tensors, but for one.
std::string SaveModule(const ModuleToSave& module);

}  // namespace modelpatch::testing
