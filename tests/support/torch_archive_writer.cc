#include "tests/support/torch_archive_writer.h"

#include <initializer_list>
#include <string_view>

namespace modelpatch::testing {
namespace {

std::string Join(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

std::string LittleEndian(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

std::string Text(std::string_view text) { return Join({"X", LittleEndian(text.size(), 4), text}); }

std::string Integer(int64_t value) {
  if (value >= 0 && value < 256) return Join({"K", LittleEndian(static_cast<uint64_t>(value), 1)});
  if (value >= 0 && value < 65536) return Join({"M", LittleEndian(static_cast<uint64_t>(value), 2)});
  return Join({"\x8a\x08", LittleEndian(static_cast<uint64_t>(value), 8)});
}

std::string Tuple(const std::vector<int64_t>& values) {
  std::string text = "(";
  for (const int64_t value : values) text += Integer(value);
  return text += 't';
}

std::string Tensor(const TensorToSave& tensor, size_t key) {
  return Join({"ctorch._utils\n_rebuild_tensor_v2\n((", Text("storage"), "ctorch\n", tensor.storage_class, "\n",
               Text(std::to_string(key)), Text("cpu"), Integer(tensor.elements), "tQ", Integer(tensor.offset),
               Tuple(tensor.shape), Tuple(tensor.strides), "\x89", "ccollections\nOrderedDict\n)RtR"});
}

// Writes the storages to `members` as it goes.
std::string Module(const ModuleToSave& module, std::vector<std::pair<std::string, std::string>>& members) {
  std::string parameters;
  for (const TensorToSave& tensor : module.parameters) {
    const size_t key = members.size();
    parameters += Join({Text(tensor.name), "ctorch._utils\n_rebuild_parameter\n(", Tensor(tensor, key), "\x88",
                        "ccollections\nOrderedDict\n)RtR"});
    members.emplace_back("archive/data/" + std::to_string(key), tensor.bytes);
  }
  std::string modules;
  for (const auto& [name, inner] : module.modules) modules += Join({Text(name), Module(inner, members)});
  return Join({"c", module.class_name, "\n)\x81", "}(", Text("training"), "\x88", Text("_parameters"),
               "ccollections\nOrderedDict\n)R(", parameters, "u", Text("_buffers"), "}", Text("_modules"), "}(",
               modules, "uub"});
}

}  // namespace

std::string SaveModule(const ModuleToSave& module) {
  std::vector<std::pair<std::string, std::string>> members;
  const std::string pickle = Join({"\x80\x02", Module(module, members), "."});
  members.emplace_back("archive/data.pkl", pickle);
  members.emplace_back("archive/byteorder", "little");
  return StoredZip(members);
}

std::string PickleStateDict(const std::vector<TensorToSave>& tensors) {
  const std::string_view first_memo("\0", 1);
  std::string text = Join({"\x80\x02", "ccollections\nOrderedDict\n)Rq", first_memo, "("});
  for (size_t i = 0; i < tensors.size(); ++i) text += Join({Text(tensors[i].name), Tensor(tensors[i], i)});
  // The attribute that nn.Module.state_dict leaves on its dictionary.
  return text += Join({"u}", Text("_metadata"), "h", first_memo, "sb."});
}

std::string StoredZip(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string zip;
  std::string directory;
  for (const auto& [name, data] : members) {
    const std::string size = LittleEndian(data.size(), 4);
    const std::string common =
        Join({std::string(12, '\0'), size, size, LittleEndian(name.size(), 2), LittleEndian(0, 2)});
    directory +=
        Join({"PK\x01\x02", LittleEndian(0, 4), common, std::string(10, '\0'), LittleEndian(zip.size(), 4), name});
    zip += Join({"PK\x03\x04", LittleEndian(0, 2), common, name, data});
  }
  const std::string count = LittleEndian(members.size(), 2);
  return Join({zip, directory, "PK\x05\x06", LittleEndian(0, 4), count, count, LittleEndian(directory.size(), 4),
               LittleEndian(zip.size(), 4), LittleEndian(0, 2)});
}

std::string SaveStateDict(const std::vector<TensorToSave>& tensors) {
  std::vector<std::pair<std::string, std::string>> members = {{"archive/data.pkl", PickleStateDict(tensors)},
                                                              {"archive/byteorder", "little"}};
  for (size_t i = 0; i < tensors.size(); ++i) {
    members.emplace_back("archive/data/" + std::to_string(i), tensors[i].bytes);
  }
  return StoredZip(members);
}

}  // namespace modelpatch::testing
