#include "core/tensor/pickled_module.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace modelpatch::tensor {
namespace {

constexpr int kMaximumDepth = 64;
constexpr size_t kMaximumVisits = 1 << 18;

// Of `module name`; a prefix ends where any name may follow.
constexpr std::array<std::string_view, 12> kModulePrefixes = {
    "torch.nn.modules.",  "torch.nn.parallel.", "src.modeling ",
    "src.heads ",         "modeling ",          "clip.model ",
    "clip.clip ",         "open_clip.",         "torchvision.transforms.",
    "argparse Namespace", "torch device",       "torch.nn.parameter ",
};

class Walk {
 public:
  explicit Walk(const PickleTable& table) : values_(table.values) {}

  absl::Status Visit(PickleIndex object, const std::string& prefix, int depth) {
    if (depth == kMaximumDepth || ++visits_ > kMaximumVisits) {
      return base::InvalidArgument("PICKLE_CORRUPT", "the pickle's modules hold each other too deep or too often");
    }
    if (values_[object].kind != PickleKind::kObject || values_[object].items.empty()) return absl::OkStatus();
    const PickleIndex attributes = values_[object].items[0];
    for (const std::string_view holder : {"_parameters", "_buffers"}) {
      for (const auto& [name, value] : Members(attributes, holder)) {
        if (values_[value].kind == PickleKind::kCall) found_.push_back({prefix + name, value});
      }
    }
    for (const auto& [name, value] : Members(attributes, "_modules")) {
      MP_RETURN_IF_ERROR(Visit(value, prefix + name + ".", depth + 1));
    }
    return absl::OkStatus();
  }

  std::vector<NamedValue> found() && { return std::move(found_); }

 private:
  // The entries of the dictionary that stands in `dictionary` under `key`; none if there is no such dictionary.
  std::vector<NamedValue> Members(PickleIndex dictionary, std::string_view key) const {
    for (const auto& [name, value] : Entries(dictionary)) {
      if (name == key) return Entries(value);
    }
    return {};
  }
  std::vector<NamedValue> Entries(PickleIndex dictionary) const {
    std::vector<NamedValue> entries;
    const PickleValue& value = values_[dictionary];
    if (value.kind != PickleKind::kDictionary) return entries;
    for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
      const PickleValue& name = values_[value.items[i]];
      if (name.kind == PickleKind::kText) entries.push_back({name.text, value.items[i + 1]});
    }
    return entries;
  }

  const std::vector<PickleValue>& values_;
  std::vector<NamedValue> found_;
  size_t visits_ = 0;
};

}  // namespace

bool IsModuleGlobal(std::string_view global) {
  return std::any_of(kModulePrefixes.begin(), kModulePrefixes.end(),
                     [&](std::string_view prefix) { return global.starts_with(prefix); });
}

absl::StatusOr<std::vector<NamedValue>> ListModuleTensors(const PickleTable& table, PickleIndex root) {
  Walk walk(table);
  MP_RETURN_IF_ERROR(walk.Visit(root, "", 0));
  return std::move(walk).found();
}

}  // namespace modelpatch::tensor
