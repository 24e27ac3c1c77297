#include "core/data/preprocess.h"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/base/text.h"
#include "core/data/resize.h"

namespace modelpatch::data {
namespace {

using nlohmann::json;

constexpr int kMaximumImageSize = 4096;
constexpr int kBicubic = 3;  // PIL.Image.BICUBIC

std::string Shown(const json& value) {
  return base::Printable(value.dump(-1, ' ', true, json::error_handler_t::replace));
}

absl::Status Malformed(std::string_view key, const json& value, std::string_view expected) {
  return base::WithField(
      base::InvalidArgument("BAD_PREPROCESSOR_CONFIG", fmt::format("preprocessor_config.json: {} is {}; it must be {}",
                                                                   key, Shown(value), expected)),
      key);
}

absl::Status Unsupported(std::string_view key, const json& value, std::string_view expected) {
  return base::WithField(
      base::FailedPrecondition(
          "UNSUPPORTED_PREPROCESSING",
          fmt::format("preprocessor_config.json: {} is {}; only {} is supported", key, Shown(value), expected)),
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
    if (!value->get<bool>()) return Unsupported(key, *value, "true");
  }
  if (const json* value = Find(document, "resample"); value != nullptr) {
    if (!value->is_number_integer()) return Malformed("resample", *value, "an integer");
    if (*value != kBicubic) return Unsupported("resample", *value, "3 (bicubic)");
  }
  if (const json* value = Find(document, "rescale_factor"); value != nullptr) {
    if (!value->is_number()) return Malformed("rescale_factor", *value, "a number");
    if (!(std::abs(value->get<double>() * 255.0 - 1.0) < 1e-6)) return Unsupported("rescale_factor", *value, "1/255");
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
    if (edge == nullptr || value->size() != 1) return Unsupported("size", *value, "{\"shortest_edge\": n}");
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
    if (*height != *width) return Unsupported("crop_size", *value, "a square");
    value = height;
  }
  return ReadPixelCount("crop_size", *value);
}

absl::Status ReadChannels(const json& document, const char* key, bool is_positive, std::array<float, 3>& channels) {
  const json* value = Find(document, key);
  if (value == nullptr) return absl::OkStatus();
  const std::string_view expected = is_positive ? "three positive numbers" : "three numbers";
  if (!value->is_array() || value->size() != channels.size()) return Malformed(key, *value, expected);
  for (size_t i = 0; i < channels.size(); ++i) {
    if (!(*value)[i].is_number()) return Malformed(key, *value, expected);
    channels[i] = (*value)[i].get<float>();
    if (!std::isfinite(channels[i]) || (is_positive && !(channels[i] > 0.0f))) return Malformed(key, *value, expected);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PreprocessConfig> ParsePreprocessConfig(std::string_view json_text) {
  const json document = json::parse(json_text, nullptr, false);
  if (!document.is_object()) {
    return base::InvalidArgument(
        "BAD_PREPROCESSOR_CONFIG",
        fmt::format("preprocessor_config.json of {} bytes is not a JSON object", json_text.size()));
  }
  MP_RETURN_IF_ERROR(CheckSteps(document));
  MP_ASSIGN_OR_RETURN(const std::optional<int> resize, ReadResize(document));
  MP_ASSIGN_OR_RETURN(const std::optional<int> crop, ReadCrop(document));
  PreprocessConfig config;
  // Either stands for both: without `size` or `crop_size` the other says it, without both the default does.
  config.image_size = crop.value_or(resize.value_or(config.image_size));
  if (resize.value_or(config.image_size) != config.image_size) {
    return Unsupported("crop_size", document["crop_size"], fmt::format("the resize's {}", *resize));
  }
  MP_RETURN_IF_ERROR(ReadChannels(document, "image_mean", false, config.mean));
  MP_RETURN_IF_ERROR(ReadChannels(document, "image_std", true, config.std));
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
