#include "core/tensor/state_dict_pickle.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <set>
#include <utility>

#include "core/base/text.h"
#include "core/tensor/pickle_reader.h"
#include "core/tensor/pickled_module.h"

namespace modelpatch::tensor {
namespace {

using base::InvalidArgument;
using base::Printable;
using Kind = PickleKind;

constexpr size_t kMaximumDimensions = 64;
// A parameter that holds a tensor is one level.
constexpr int kMaximumWrapping = 4;

constexpr std::string_view kRebuildTensor = "torch._utils _rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils _rebuild_parameter";
constexpr std::string_view kSize = "torch Size";

absl::Status Corrupt(std::string_view what) {
  return InvalidArgument("PICKLE_CORRUPT", fmt::format("the pickle is no state dict of torch.save: {}", what));
}

std::optional<DType> DTypeOfStorage(std::string_view global) {
  static constexpr std::array<std::pair<std::string_view, DType>, 10> kStorages = {{
      {"torch DoubleStorage", DType::kFloat64},
      {"torch FloatStorage", DType::kFloat32},
      {"torch HalfStorage", DType::kFloat16},
      {"torch BFloat16Storage", DType::kBFloat16},
      {"torch LongStorage", DType::kInt64},
      {"torch IntStorage", DType::kInt32},
      {"torch ShortStorage", DType::kInt16},
      {"torch CharStorage", DType::kInt8},
      {"torch ByteStorage", DType::kUInt8},
      {"torch BoolStorage", DType::kBool},
  }};
  for (const auto& [name, dtype] : kStorages) {
    if (name == global) return dtype;
  }
  return std::nullopt;
}

// A set, of Python 2's name in old protocols: Module has one of names.
bool IsEmptyContainer(std::string_view global) { return global == "__builtin__ set" || global == "builtins set"; }

PickleGlobal Judge(std::string_view global) {
  if (global == "collections OrderedDict") return PickleGlobal::kDictionary;
  if (IsModuleGlobal(global)) return PickleGlobal::kClass;
  const bool is_allowed = global == kRebuildTensor || global == kRebuildParameter || global == kSize ||
                          IsEmptyContainer(global) || DTypeOfStorage(global).has_value();
  return is_allowed ? PickleGlobal::kAllowed : PickleGlobal::kRefused;
}

class StateDict {
 public:
  explicit StateDict(const PickleTable& table) : table_(table), values_(table.values) {}

  absl::StatusOr<std::vector<PickledTensor>> Tensors() const {
    MP_ASSIGN_OR_RETURN(const std::vector<NamedValue> entries, Entries());
    std::vector<PickledTensor> tensors;
    std::set<std::string_view> names;
    for (const auto& [name, value] : entries) {
      const PickleValue* call = RebuildCall(value);
      if (call == nullptr) continue;
      if (!names.insert(name).second) return Corrupt(fmt::format("it has '{}' twice", Printable(name)));
      MP_ASSIGN_OR_RETURN(tensors.emplace_back(), Rebuild(*call));
      tensors.back().name = name;
    }
    if (!tensors.empty()) return tensors;
    return InvalidArgument("PICKLE_NO_STATE_DICT", "the pickle is no dictionary of tensors");
  }

 private:
  absl::StatusOr<std::vector<NamedValue>> Entries() const {
    const PickleValue* root = &values_[table_.root];
    if (root->kind == Kind::kObject) return ListModuleTensors(table_, table_.root);
    if (const PickleValue* member = Member(*root, "state_dict"); member != nullptr) root = member;
    std::vector<NamedValue> entries;
    for (size_t i = 0; root->kind == Kind::kDictionary && i + 1 < root->items.size(); i += 2) {
      const PickleValue& key = values_[root->items[i]];
      if (key.kind == Kind::kText) entries.push_back({key.text, root->items[i + 1]});
    }
    return entries;
  }

  // The member of that name if it is a dictionary, or null.
  const PickleValue* Member(const PickleValue& dictionary, std::string_view name) const {
    if (dictionary.kind != Kind::kDictionary) return nullptr;
    for (size_t i = 0; i + 1 < dictionary.items.size(); i += 2) {
      const PickleValue& value = values_[dictionary.items[i + 1]];
      if (values_[dictionary.items[i]].text == name && value.kind == Kind::kDictionary) return &value;
    }
    return nullptr;
  }

  // The name of what a value calls; "" if it is no call.
  std::string_view CalleeOf(const PickleValue& value) const {
    return value.kind == Kind::kCall ? std::string_view(values_[value.items[0]].text) : std::string_view();
  }
  const std::vector<PickleIndex>& ArgumentsOf(const PickleValue& call) const { return values_[call.items[1]].items; }

  // The call that makes a tensor, out of the parameters around it; null if the value is no tensor.
  const PickleValue* RebuildCall(PickleIndex index) const {
    for (int level = 0; level < kMaximumWrapping; ++level) {
      const PickleValue& value = values_[index];
      const std::string_view callee = CalleeOf(value);
      if (callee == kRebuildTensor) return &value;
      if (callee != kRebuildParameter || ArgumentsOf(value).empty()) return nullptr;
      index = ArgumentsOf(value)[0];
    }
    return nullptr;
  }

  // (storage, offset, sizes, strides, …).
  absl::StatusOr<PickledTensor> Rebuild(const PickleValue& call) const {
    const std::vector<PickleIndex>& arguments = ArgumentsOf(call);
    if (arguments.size() < 4 || values_[arguments[0]].kind != Kind::kPersistent ||
        values_[arguments[1]].kind != Kind::kInteger) {
      return Corrupt("a tensor is made of other things than it takes");
    }
    PickledTensor tensor;
    MP_RETURN_IF_ERROR(ReadStorage(values_[arguments[0]], tensor));
    tensor.storage_offset = values_[arguments[1]].integer;
    MP_ASSIGN_OR_RETURN(tensor.shape, Sizes(arguments[2]));
    MP_ASSIGN_OR_RETURN(tensor.strides, Sizes(arguments[3]));
    if (tensor.shape.size() != tensor.strides.size()) return Corrupt("a tensor has more sizes than strides");
    return tensor;
  }

  // ('storage', class, key, location, number of elements).
  absl::Status ReadStorage(const PickleValue& persistent, PickledTensor& tensor) const {
    const std::vector<PickleIndex>& id = values_[persistent.items[0]].items;
    if (id.size() < 5 || values_[id[0]].text != "storage" || values_[id[1]].kind != Kind::kGlobal ||
        values_[id[2]].kind != Kind::kText || values_[id[4]].kind != Kind::kInteger) {
      return Corrupt("what stands outside of it is no storage");
    }
    const std::optional<DType> dtype = DTypeOfStorage(values_[id[1]].text);
    if (!dtype.has_value() || values_[id[4]].integer < 0) return Corrupt("a storage has no type or size");
    tensor.dtype = *dtype;
    tensor.storage = values_[id[2]].text;
    tensor.storage_size = values_[id[4]].integer;
    return absl::OkStatus();
  }

  // A tuple of numbers, or a torch.Size of one.
  absl::StatusOr<std::vector<int64_t>> Sizes(PickleIndex index) const {
    const PickleValue* value = &values_[index];
    if (CalleeOf(*value) == kSize && ArgumentsOf(*value).size() == 1) value = &values_[ArgumentsOf(*value)[0]];
    if (value->kind != Kind::kTuple || value->items.size() > kMaximumDimensions) return Corrupt("a shape is no tuple");
    std::vector<int64_t> sizes;
    for (const PickleIndex item : value->items) {
      if (values_[item].kind != Kind::kInteger || values_[item].integer < 0) return Corrupt("a size is no number");
      sizes.push_back(values_[item].integer);
    }
    return sizes;
  }

  const PickleTable& table_;
  const std::vector<PickleValue>& values_;
};

}  // namespace

absl::StatusOr<std::vector<PickledTensor>> ReadStateDictPickle(std::string_view pickle) {
  MP_ASSIGN_OR_RETURN(const PickleTable table, ReadPickle(pickle, Judge));
  return StateDict(table).Tensors();
}

}  // namespace modelpatch::tensor
