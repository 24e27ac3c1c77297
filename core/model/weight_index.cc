#include "core/model/weight_index.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/base/file.h"
#include "core/base/text.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;
using nlohmann::json;
using Names = std::set<std::string, std::less<>>;

constexpr uint64_t kMaximumIndexBytes = uint64_t{64} << 20;

// Whether `name` is a weight file of the same directory and nothing else.
bool IsShardName(std::string_view name) {
  return IsWeightFile(name) && name.front() != '.' &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

}  // namespace

absl::StatusOr<WeightIndex> ParseWeightIndex(std::string_view index_json) {
  constexpr int kTensorDepth = 2;  // { "weight_map": { here } }
  Names tensors;
  std::string twice;
  const json::parser_callback_t watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key && depth == kTensorDepth &&
        !tensors.insert(parsed.get<std::string>()).second && twice.empty()) {
      twice = parsed.get<std::string>();
    }
    return true;
  };
  const json document = json::parse(index_json.begin(), index_json.end(), watch, false);
  const auto map = document.is_object() ? document.find("weight_map") : document.end();
  if (!document.is_object() || map == document.end() || !map->is_object() || map->empty()) {
    return InvalidArgument("WEIGHT_INDEX_INVALID",
                           "the index of the weights is not JSON with a `weight_map` of tensor to file");
  }
  if (!twice.empty()) {
    return InvalidArgument("WEIGHT_INDEX_DUPLICATE",
                           fmt::format("the index of the weights has the tensor '{}' twice", base::Printable(twice)));
  }
  WeightIndex index;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !IsShardName(file.get<std::string>())) {
      return InvalidArgument(
          "WEIGHT_INDEX_INVALID",
          fmt::format("the index of the weights has the tensor '{}' in {}; it must be the plain name of a "
                      ".safetensors or .bin file beside it",
                      base::Printable(tensor),
                      file.is_string() ? "'" + base::Printable(file.get<std::string>()) + "'" : "no file"));
    }
    index.emplace(tensor, file.get<std::string>());
  }
  return index;
}

absl::StatusOr<WeightFilePlan> PlanWeightFiles(const std::string& directory, const ModelFileNames& names) {
  if (names.index.empty()) return WeightFilePlan{{names.weights}, {}};
  MP_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(directory + "/" + names.index, kMaximumIndexBytes));
  MP_ASSIGN_OR_RETURN(WeightIndex index, ParseWeightIndex(text));
  Names files;
  for (const auto& [tensor, file] : index) files.insert(file);
  return WeightFilePlan{{files.begin(), files.end()}, std::move(index)};
}

absl::Status CheckIndex(const WeightFilePlan& plan, const TensorTable& tensors) {
  for (const auto& [name, file] : plan.index) {
    const StoredTensor* stored = tensors.Find(name);
    if (stored != nullptr && plan.files[stored->file] == file) continue;
    return InvalidArgument("MODEL_TENSORS_MISMATCH",
                           fmt::format("the index of the weights has the tensor '{}' in '{}', where it is not",
                                       base::Printable(name), base::Printable(file)));
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::model
