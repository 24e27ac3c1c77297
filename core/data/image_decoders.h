// The decoders behind DecodeImage, one for each format. Each expects bytes that start with its format's signature; the
// errors are those of DecodeImage. Private to core/data. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/status.h"
#include "core/data/image.h"
#include "core/data/image_codec.h"

namespace modelpatch::data {

absl::StatusOr<RgbImage> DecodeJpeg(std::string_view bytes, const DecodeLimits& limits);
absl::StatusOr<RgbImage> DecodePng(std::string_view bytes, const DecodeLimits& limits);
absl::StatusOr<RgbImage> DecodeWebp(std::string_view bytes, const DecodeLimits& limits);
absl::StatusOr<RgbImage> DecodeBmp(std::string_view bytes, const DecodeLimits& limits);
absl::StatusOr<RgbImage> DecodeGif(std::string_view bytes, const DecodeLimits& limits);
absl::StatusOr<RgbImage> DecodeTiff(std::string_view bytes, const DecodeLimits& limits);
absl::StatusOr<RgbImage> DecodePpm(std::string_view bytes, const DecodeLimits& limits);

// OK if an image of this size may be decoded. IMAGE_EMPTY or IMAGE_TOO_LARGE otherwise.
absl::Status CheckImageSize(int64_t width, int64_t height, const DecodeLimits& limits);

// A black image. The size must have passed CheckImageSize.
RgbImage MakeImage(int64_t width, int64_t height);

}  // namespace modelpatch::data
