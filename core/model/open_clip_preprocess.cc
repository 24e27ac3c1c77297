#include "core/model/open_clip_preprocess.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/text.h"
#include "core/data/show_json.h"

namespace modelpatch::model {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// The entry of `names` whose first part is the member `key`; the first entry if there is none.
template <typename Value, size_t kCount>
Value ReadName(ConfigSection& section, const char* key,
               const std::array<std::pair<std::string_view, Value>, kCount>& names) {
  const std::string name = section.Text(key, names[0].first);
  std::string known;
  for (const auto& [candidate, value] : names) {
    if (candidate == name) return value;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", candidate);
  }
  section.Fail(key, fmt::format("is '{}'; it must be one of {}", base::Printable(name), known));
  return names[0].second;
}

constexpr std::array<std::pair<std::string_view, data::ResizeMode>, 3> kResizeModes = {
    {{"shortest", data::ResizeMode::kShortest},
     {"longest", data::ResizeMode::kLongest},
     {"squash", data::ResizeMode::kSquash}}};
// `random` is for training; the evaluation transform takes it for bicubic.
constexpr std::array<std::pair<std::string_view, data::ResizeFilter>, 3> kFilters = {
    {{"bicubic", data::ResizeFilter::kBicubic},
     {"bilinear", data::ResizeFilter::kBilinear},
     {"random", data::ResizeFilter::kBicubic}}};

template <typename Value, size_t kCount>
std::string_view NameIn(const std::array<std::pair<std::string_view, Value>, kCount>& names, Value value) {
  return std::find_if(names.begin(), names.end(), [&](const auto& entry) { return entry.second == value; })->first;
}

}  // namespace

absl::StatusOr<data::PreprocessConfig> ReadOpenClipPreprocess(ConfigSection& section, data::ImageSize image_size) {
  json channels = json::object();
  for (const auto& [key, target] : {std::pair{"mean", "image_mean"}, {"std", "image_std"}}) {
    const json* value = section.Find(key);
    if (value == nullptr) continue;
    // Copying recurses, and a hostile document may be nested a million levels deep.
    const auto is_nested = [](const json& element) { return element.is_structured(); };
    if (value->is_object() || (value->is_array() && std::any_of(value->begin(), value->end(), is_nested))) {
      section.Fail(key, fmt::format("is {}; it must be one number or three", data::ShowJson(*value)));
      continue;
    }
    channels[target] = value->is_number() ? json::array({*value, *value, *value}) : *value;
  }
  const auto resize_mode = ReadName(section, "resize_mode", kResizeModes);
  const auto filter = ReadName(section, "interpolation", kFilters);
  if (section.Text("mode", "RGB") != "RGB") section.Fail("mode", "must be RGB");
  const int64_t fill_color = section.Integer("fill_color", 0);
  if (fill_color < 0 || fill_color > 255) {
    section.Fail("fill_color", fmt::format("is {}; it must be from 0 to 255", fill_color));
  }
  MP_RETURN_IF_ERROR(section.status());
  MP_ASSIGN_OR_RETURN(data::PreprocessConfig config, data::ParsePreprocessConfig(channels.dump()));
  config.image_size = image_size;
  config.resize_mode = resize_mode;
  config.filter = filter;
  config.fill_color = static_cast<int>(fill_color);
  return config;
}

ordered_json WriteOpenClipPreprocess(const data::PreprocessConfig& config) {
  return {{"mean", data::AsDecimals(config.mean)},
          {"std", data::AsDecimals(config.std)},
          {"interpolation", NameIn(kFilters, config.filter)},
          {"resize_mode", NameIn(kResizeModes, config.resize_mode)},
          {"fill_color", config.fill_color}};
}

}  // namespace modelpatch::model
