// PreprocessConfig: how an image of any size becomes the pixels that a model takes. Thread safety: pure functions.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/data/image_size.h"
#include "core/data/resize.h"

namespace modelpatch::data {

// As OpenCLIP names them (open_clip transform.py, image_transform).
enum class ResizeMode {
  kShortest,  // keeps the ratio; the image covers the size, and what stands out is cropped
  kLongest,   // keeps the ratio; the image lies within the size, and the rest has the fill colour
  kSquash,    // to the size, whatever the ratio
};

struct PreprocessConfig {
  ImageSize image_size = 224;  // of the result
  ResizeMode resize_mode = ResizeMode::kShortest;
  ResizeFilter filter = ResizeFilter::kBicubic;
  // What the resize aims at where the crop after it is smaller (resize to 256, crop 224); none: `image_size`. Neither
  // side is less than that of `image_size`.
  std::optional<ImageSize> resize_size = std::nullopt;
  // Of the channels red, green, blue, on the scale [0, 1]. The defaults are those of OpenAI's CLIP.
  std::array<float, 3> mean = {0.48145466f, 0.4578275f, 0.40821073f};
  std::array<float, 3> std = {0.26862954f, 0.26130258f, 0.27577711f};
  int fill_color = 0;  // 0 … 255, of all three channels, where kLongest leaves pixels empty

  bool operator==(const PreprocessConfig&) const = default;
};

// The largest side of an image that a model may take.
inline constexpr int64_t kMaximumModelImageSide = 16384;

// INVALID_ARGUMENT (BAD_IMAGE_SIZE) unless both sides are in 1 … 16384.
absl::Status CheckModelImageSize(ImageSize size);

// A Hugging Face `preprocessor_config.json`, in its old form ("size": 224) and its new ones ("size": {"shortest_edge":
// 224} or {"height": 224, "width": 224}); of `size` and `crop_size` one may stand for both. What else is absent has the
// default of the image processor that the document names: no crop, and a mean and deviation of 0.5, for SigLIP's and
// ViT's, those of CLIPImageProcessor for all others. INVALID_ARGUMENT with the member as its field:
// BAD_PREPROCESSOR_CONFIG if it is not such a document (of at most 1 MiB, sizes of at most 4096, means of at most 256
// either way, standard deviations from 1e-6 to 1e6); UNSUPPORTED_PREPROCESSING if it asks for a transform that
// PreprocessConfig cannot express: another filter than bicubic and bilinear, a step left out, a crop that is larger
// than the resize, or a size of the result that depends on the image.
absl::StatusOr<PreprocessConfig> ParsePreprocessConfig(std::string_view json);

// A preprocessor_config.json for the image processor of this name, which ParsePreprocessConfig reads as `config`.
// FAILED_PRECONDITION (LAYOUT_UNSUPPORTED) if no such document means the same: kLongest, a ratio-keeping resize to more
// than one number, and any crop by an image processor that is not CLIPImageProcessor.
absl::StatusOr<std::string> WritePreprocessConfig(const PreprocessConfig& config,
                                                  std::string_view image_processor = "CLIPImageProcessor");

// The numbers with as few digits as tell them apart from other floats: 0.48145466, not 0.4814546704292297.
nlohmann::ordered_json AsDecimals(const std::array<float, 3>& values);

}  // namespace modelpatch::data
