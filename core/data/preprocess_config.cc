#include "core/data/preprocess_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/data/show_json.h"

namespace modelpatch::data {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr size_t kMaximumBytes = 1 << 20;
constexpr int64_t kMaximumConfigSide = 4096;
constexpr int kBilinear = 2;  // PIL.Image.BILINEAR
constexpr int kBicubic = 3;   // PIL.Image.BICUBIC
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

// What an image processor does where its document is silent.
struct Defaults {
  bool crops = true;
  int resample = kBicubic;
  std::array<float, 3> mean = PreprocessConfig().mean;
  std::array<float, 3> std = PreprocessConfig().std;
};

// transformers' image_processing_clip.py, image_processing_siglip.py, image_processing_vit.py. The latter two know no
// crop: a document's `crop_size` says nothing to them.
Defaults DefaultsOf(const json& document) {
  constexpr std::array<float, 3> kHalf = {0.5f, 0.5f, 0.5f};
  std::string name;
  for (const char* key : {"feature_extractor_type", "image_processor_type"}) {
    const json* value = Find(document, key);
    if (value != nullptr && value->is_string()) name = value->get<std::string>();
  }
  if (name == "SiglipImageProcessor" || name == "SiglipImageProcessorFast") return {false, kBicubic, kHalf, kHalf};
  if (name == "ViTImageProcessor" || name == "ViTImageProcessorFast" || name == "ViTFeatureExtractor") {
    return {false, kBilinear, kHalf, kHalf};
  }
  return {};
}

absl::StatusOr<bool> ReadFlag(const json& document, const char* key) {
  const json* value = Find(document, key);
  if (value == nullptr) return true;
  if (!value->is_boolean()) return Malformed(key, *value, "true or false");
  return value->get<bool>();
}

absl::Status CheckSteps(const json& document) {
  for (const char* key : {"do_resize", "do_rescale", "do_normalize"}) {
    MP_ASSIGN_OR_RETURN(const bool is_done, ReadFlag(document, key));
    if (!is_done) return Unsupported(key, "false", "true");
  }
  if (const json* value = Find(document, "rescale_factor"); value != nullptr) {
    if (!value->is_number()) return Malformed("rescale_factor", *value, "a number");
    if (!(std::abs(value->get<double>() * 255.0 - 1.0) < 1e-6))
      return Unsupported("rescale_factor", ShowJson(*value), "1/255");
  }
  return absl::OkStatus();
}

absl::StatusOr<ResizeFilter> ReadFilter(const json& document, int fallback) {
  const json* value = Find(document, "resample");
  if (value != nullptr && !value->is_number_integer()) return Malformed("resample", *value, "an integer");
  const json chosen = value == nullptr ? json(fallback) : *value;
  if (chosen == kBicubic) return ResizeFilter::kBicubic;
  if (chosen == kBilinear) return ResizeFilter::kBilinear;
  return Unsupported("resample", ShowJson(chosen), "2 (bilinear) or 3 (bicubic)");
}

absl::StatusOr<int64_t> ReadPixelCount(const char* key, const json& value) {
  // Compared as a double: an integer beyond int64 must not wrap around.
  if (!value.is_number_integer() || !(value.get<double>() >= 1 && value.get<double>() <= kMaximumConfigSide)) {
    return Malformed(key, value, fmt::format("an integer from 1 to {}", kMaximumConfigSide));
  }
  return value.get<int64_t>();
}

// {"height": number, "width": number}
absl::StatusOr<ImageSize> ReadRectangle(const char* key, const json& value) {
  const json* height = Find(value, "height");
  const json* width = Find(value, "width");
  if (height == nullptr || width == nullptr) return Malformed(key, value, "{\"height\": n, \"width\": n}");
  MP_ASSIGN_OR_RETURN(const int64_t rows, ReadPixelCount(key, *height));
  MP_ASSIGN_OR_RETURN(const int64_t columns, ReadPixelCount(key, *width));
  return ImageSize(rows, columns);
}

struct ResizeStep {
  ResizeMode mode = ResizeMode::kShortest;
  ImageSize size = PreprocessConfig().image_size;
};

// `size`: a number, {"shortest_edge": number}, or {"height": number, "width": number}.
absl::StatusOr<std::optional<ResizeStep>> ReadResize(const json& document, bool crops) {
  const json* value = Find(document, "size");
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) {
    MP_ASSIGN_OR_RETURN(const int64_t side, ReadPixelCount("size", *value));
    return ResizeStep{crops ? ResizeMode::kShortest : ResizeMode::kSquash, side};
  }
  if (const json* edge = Find(*value, "shortest_edge"); edge != nullptr && value->size() == 1) {
    MP_ASSIGN_OR_RETURN(const int64_t side, ReadPixelCount("size", *edge));
    return ResizeStep{ResizeMode::kShortest, side};
  }
  if (Find(*value, "height") == nullptr || Find(*value, "width") == nullptr || value->size() != 2) {
    return Unsupported("size", "another object", "{\"shortest_edge\": n} or {\"height\": n, \"width\": n}");
  }
  MP_ASSIGN_OR_RETURN(const ImageSize size, ReadRectangle("size", *value));
  return ResizeStep{ResizeMode::kSquash, size};
}

// `crop_size`: a number, or {"height": number, "width": number}.
absl::StatusOr<std::optional<ImageSize>> ReadCrop(const json& document) {
  const json* value = Find(document, "crop_size");
  if (value == nullptr) return std::nullopt;
  if (value->is_object()) return ReadRectangle("crop_size", *value);
  MP_ASSIGN_OR_RETURN(const int64_t side, ReadPixelCount("crop_size", *value));
  return ImageSize(side);
}

absl::Status ReadSizes(const json& document, bool crops, PreprocessConfig& config) {
  MP_ASSIGN_OR_RETURN(const std::optional<ResizeStep> resize, ReadResize(document, crops));
  MP_ASSIGN_OR_RETURN(const bool do_crop, ReadFlag(document, "do_center_crop"));
  MP_ASSIGN_OR_RETURN(std::optional<ImageSize> crop, ReadCrop(document));
  if (!crops || !do_crop) crop.reset();
  // Either stands for both: without `size` a square crop says it, without both the default does.
  ResizeStep step = resize.value_or(ResizeStep{});
  if (!resize.has_value() && crop.has_value() && crop->is_square()) step.size = *crop;
  config.resize_mode = step.mode;
  config.image_size = crop.has_value() ? *crop : step.size;
  if (step.mode == ResizeMode::kShortest && !(crops && do_crop)) {
    return crops ? Unsupported("do_center_crop", "false", "true, or a size of {\"height\": n, \"width\": n},")
                 : Unsupported("size", "that of the shortest edge", "{\"height\": n, \"width\": n}");
  }
  if (config.image_size.height > step.size.height || config.image_size.width > step.size.width) {
    return Unsupported("crop_size", Describe(config.image_size),
                       fmt::format("a crop of at most the resize's {}", Describe(step.size)));
  }
  if (config.image_size != step.size) config.resize_size = step.size;
  return absl::OkStatus();
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

absl::Status CheckModelImageSize(ImageSize size) {
  const auto [least, most] = std::minmax(size.height, size.width);
  if (least >= 1 && most <= kMaximumModelImageSide) return absl::OkStatus();
  return base::InvalidArgument("BAD_IMAGE_SIZE", fmt::format("the image size is {}; each side must be from 1 to {}",
                                                             Describe(size), kMaximumModelImageSide));
}

absl::StatusOr<PreprocessConfig> ParsePreprocessConfig(std::string_view json_text) {
  MP_ASSIGN_OR_RETURN(const json document, ParseDocument(json_text));
  MP_RETURN_IF_ERROR(CheckSteps(document));
  const Defaults defaults = DefaultsOf(document);
  PreprocessConfig config;
  MP_ASSIGN_OR_RETURN(config.filter, ReadFilter(document, defaults.resample));
  MP_RETURN_IF_ERROR(ReadSizes(document, defaults.crops, config));
  config.mean = defaults.mean;
  config.std = defaults.std;
  MP_RETURN_IF_ERROR(ReadChannels(document, "image_mean", -kMaximumMean, kMaximumMean, config.mean));
  MP_RETURN_IF_ERROR(ReadChannels(document, "image_std", kMinimumStd, kMaximumStd, config.std));
  return config;
}

absl::StatusOr<std::string> WritePreprocessConfig(const PreprocessConfig& config, std::string_view image_processor) {
  const ImageSize resize = config.resize_size.value_or(config.image_size);
  const bool shortest = config.resize_mode == ResizeMode::kShortest;
  const bool crops = shortest || config.resize_size.has_value();
  if (config.resize_mode == ResizeMode::kLongest || (shortest && !resize.is_square()) ||
      (crops && image_processor != "CLIPImageProcessor")) {
    return base::FailedPrecondition(
        "LAYOUT_UNSUPPORTED",
        fmt::format("Hugging Face's {} cannot resize and crop images as this model wants them; use OpenCLIP's layout",
                    image_processor));
  }
  ordered_json document;
  if (crops) document["crop_size"] = {{"height", config.image_size.height}, {"width", config.image_size.width}};
  document["do_center_crop"] = crops;
  document["do_convert_rgb"] = true;
  document["do_normalize"] = true;
  document["do_rescale"] = true;
  document["do_resize"] = true;
  document["image_mean"] = AsDecimals(config.mean);
  document["image_processor_type"] = image_processor;
  document["image_std"] = AsDecimals(config.std);
  document["resample"] = config.filter == ResizeFilter::kBicubic ? kBicubic : kBilinear;
  document["rescale_factor"] = 1.0 / 255.0;
  if (shortest) {
    document["size"] = {{"shortest_edge", resize.height}};
  } else {
    document["size"] = {{"height", resize.height}, {"width", resize.width}};
  }
  return document.dump(1) + "\n";
}

ordered_json AsDecimals(const std::array<float, 3>& values) {
  ordered_json decimals = ordered_json::array();
  for (const float value : values) decimals.push_back(std::strtod(fmt::format("{}", value).c_str(), nullptr));
  return decimals;
}

}  // namespace modelpatch::data
