#include "core/data/preprocess.h"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/data/resize.h"
#include "core/data/show_json.h"

namespace modelpatch::data {
namespace {

using nlohmann::json;

constexpr size_t kMaximumBytes = 1 << 20;
constexpr int kMaximumImageSize = 4096;
constexpr int kBicubic = 3;  // PIL.Image.BICUBIC
// Wide enough for any real set of pixels; beyond them a normalised pixel leaves the range in which a model can work.
constexpr float kMaximumMean = 256.0f;
constexpr float kMinimumStd = 1e-6f;
constexpr float kMaximumStd = 1e6f;

absl::Status Malformed(std::string_view key, const json& value, std::string_view expected) {
  return base::WithField(
      base::InvalidArgument("BAD_PREPROCESSOR_CONFIG", fmt::format("preprocessor_config.json: {} is {}; it must be {}",
                                                                   key, ShowJson(value), expected)),
      key);
}

absl::Status Unsupported(std::string_view key, std::string_view shown, std::string_view expected) {
  return base::WithField(base::InvalidArgument("UNSUPPORTED_PREPROCESSING",
                                               fmt::format("preprocessor_config.json: {} is {}; only {} is supported",
                                                           key, shown, expected)),
                         key);
}

// The member `key`, or null if there is none or it is JSON's null.
const json* Find(const json& document, const char* key) {
  const auto member = document.find(key);
  return member == document.end() || member->is_null() ? nullptr : &*member;
}

absl::Status CheckSteps(const json& document) {
  for (const char* key : {"do_resize", "do_center_crop", "do_rescale", "do_normalize"}) {
    const json* value = Find(document, key);
    if (value == nullptr) continue;
    if (!value->is_boolean()) return Malformed(key, *value, "true or false");
    if (!value->get<bool>()) return Unsupported(key, "false", "true");
  }
  if (const json* value = Find(document, "resample"); value != nullptr) {
    if (!value->is_number_integer()) return Malformed("resample", *value, "an integer");
    if (*value != kBicubic) return Unsupported("resample", ShowJson(*value), "3 (bicubic)");
  }
  if (const json* value = Find(document, "rescale_factor"); value != nullptr) {
    if (!value->is_number()) return Malformed("rescale_factor", *value, "a number");
    if (!(std::abs(value->get<double>() * 255.0 - 1.0) < 1e-6))
      return Unsupported("rescale_factor", ShowJson(*value), "1/255");
  }
  return absl::OkStatus();
}

absl::StatusOr<int> ReadPixelCount(const char* key, const json& value) {
  // Compared as a double: an integer beyond int64 must not wrap around.
  if (!value.is_number_integer() || !(value.get<double>() >= 1 && value.get<double>() <= kMaximumImageSize)) {
    return Malformed(key, value, fmt::format("an integer from 1 to {}", kMaximumImageSize));
  }
  return value.get<int>();
}

// `size`: a number, or {"shortest_edge": number}.
absl::StatusOr<std::optional<int>> ReadResize(const json& document) {
  const json* value = Find(document, "size");
  if (value == nullptr) return std::nullopt;
  if (value->is_object()) {
    const json* edge = Find(*value, "shortest_edge");
    if (edge == nullptr || value->size() != 1) return Unsupported("size", "another object", "{\"shortest_edge\": n}");
    value = edge;
  }
  return ReadPixelCount("size", *value);
}

// `crop_size`: a number, or {"height": number, "width": the same number}.
absl::StatusOr<std::optional<int>> ReadCrop(const json& document) {
  const json* value = Find(document, "crop_size");
  if (value == nullptr) return std::nullopt;
  if (value->is_object()) {
    const json* height = Find(*value, "height");
    const json* width = Find(*value, "width");
    if (height == nullptr || width == nullptr) return Malformed("crop_size", *value, "{\"height\": n, \"width\": n}");
    MP_ASSIGN_OR_RETURN(const int rows, ReadPixelCount("crop_size", *height));
    MP_ASSIGN_OR_RETURN(const int columns, ReadPixelCount("crop_size", *width));
    if (rows != columns) return Unsupported("crop_size", fmt::format("{} x {}", rows, columns), "a square");
    return rows;
  }
  return ReadPixelCount("crop_size", *value);
}

absl::Status ReadChannels(const json& document, const char* key, float low, float high,
                          std::array<float, 3>& channels) {
  const json* value = Find(document, key);
  if (value == nullptr) return absl::OkStatus();
  const std::string expected = fmt::format("three numbers from {:g} to {:g}", low, high);
  if (!value->is_array() || value->size() != channels.size()) return Malformed(key, *value, expected);
  for (size_t i = 0; i < channels.size(); ++i) {
    const json& channel = (*value)[i];
    if (!channel.is_number()) return Malformed(key, channel, expected);
    const double number = channel.get<double>();  // a double beyond the range of float must not be converted
    if (!(number >= low && number <= high)) return Malformed(key, channel, expected);
    channels[i] = static_cast<float>(number);
  }
  return absl::OkStatus();
}

absl::StatusOr<json> ParseDocument(std::string_view json_text) {
  if (json_text.size() > kMaximumBytes) {
    return base::InvalidArgument(
        "BAD_PREPROCESSOR_CONFIG",
        fmt::format("preprocessor_config.json has {} bytes; at most {} are allowed", json_text.size(), kMaximumBytes));
  }
  json document = json::parse(json_text, nullptr, false);
  // The JSON parser takes a NUL for the end of the text; whatever follows would go unseen.
  if (!document.is_object() || json_text.find('\0') != std::string_view::npos) {
    return base::InvalidArgument(
        "BAD_PREPROCESSOR_CONFIG",
        fmt::format("preprocessor_config.json of {} bytes is not a JSON object", json_text.size()));
  }
  return document;
}

}  // namespace

absl::StatusOr<PreprocessConfig> ParsePreprocessConfig(std::string_view json_text) {
  MP_ASSIGN_OR_RETURN(const json document, ParseDocument(json_text));
  MP_RETURN_IF_ERROR(CheckSteps(document));
  MP_ASSIGN_OR_RETURN(const std::optional<int> resize, ReadResize(document));
  MP_ASSIGN_OR_RETURN(const std::optional<int> crop, ReadCrop(document));
  PreprocessConfig config;
  // Either stands for both: without `size` or `crop_size` the other says it, without both the default does.
  config.image_size = crop.value_or(resize.value_or(config.image_size));
  if (resize.value_or(config.image_size) != config.image_size) {
    return Unsupported("crop_size", fmt::format("{}", config.image_size), fmt::format("the resize's {}", *resize));
  }
  MP_RETURN_IF_ERROR(ReadChannels(document, "image_mean", -kMaximumMean, kMaximumMean, config.mean));
  MP_RETURN_IF_ERROR(ReadChannels(document, "image_std", kMinimumStd, kMaximumStd, config.std));
  return config;
}

void NormalizeToPlanar(const uint8_t* pixels, const PreprocessConfig& config, float* out) {
  const auto count = static_cast<size_t>(config.image_size) * static_cast<size_t>(config.image_size);
  for (size_t channel = 0; channel < config.mean.size(); ++channel) {
    // A channel has only 256 values.
    std::array<float, 256> normalized;
    for (size_t value = 0; value < normalized.size(); ++value) {
      normalized[value] = (static_cast<float>(value) / 255.0f - config.mean[channel]) / config.std[channel];
    }
    float* const plane = out + channel * count;
    for (size_t i = 0; i < count; ++i) plane[i] = normalized[pixels[3 * i + channel]];
  }
}

absl::StatusOr<RgbImage> PreprocessToPixels(std::string_view encoded, const PreprocessConfig& config,
                                            const DecodeLimits& limits) {
  MP_ASSIGN_OR_RETURN(const RgbImage image, DecodeImage(encoded, limits));
  return ResizeShorterSideAndCrop(image, config.image_size);
}

}  // namespace modelpatch::data
