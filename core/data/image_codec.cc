#include "core/data/image_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <new>

#include "core/base/text.h"
#include "core/data/image_decoders.h"

namespace modelpatch::data {
namespace {

bool StartsWith(std::string_view bytes, std::string_view signature) {
  return bytes.substr(0, signature.size()) == signature;
}

bool IsNetpbm(std::string_view bytes) {
  constexpr std::string_view kAfterMagic = " \t\n\r\v\f#";
  return bytes.size() >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7' &&
         kAfterMagic.find(bytes[2]) != std::string_view::npos;
}

// Either order of bytes, and the 64-bit form of each.
bool IsTiff(std::string_view bytes) {
  using namespace std::string_view_literals;
  const std::string_view signature = bytes.substr(0, 4);
  return signature == "II\x2a\0"sv || signature == "MM\0\x2a"sv || signature == "II\x2b\0"sv ||
         signature == "MM\0\x2b"sv;
}

// A proper beginning of a signature says that the file was cut, not that it is foreign.
bool IsCutSignature(std::string_view bytes) {
  constexpr std::string_view kPng = "\x89PNG\r\n\x1a\n";
  constexpr std::string_view kJpeg = "\xff\xd8\xff";
  return (bytes.size() < kPng.size() && StartsWith(kPng, bytes)) ||
         (bytes.size() < kJpeg.size() && StartsWith(kJpeg, bytes)) ||
         (bytes.size() < 12 && StartsWith("RIFF", bytes.substr(0, 4))) ||
         (bytes.size() < 6 && (StartsWith("GIF87a", bytes) || StartsWith("GIF89a", bytes))) ||
         (bytes.size() < 4 && (StartsWith("II", bytes.substr(0, 2)) || StartsWith("MM", bytes.substr(0, 2)))) ||
         (bytes.size() == 2 && (bytes == "P5" || bytes == "P6"));
}

absl::StatusOr<RgbImage> DecodeByFormat(std::string_view bytes, const DecodeLimits& limits) {
  if (bytes.empty())
    return base::InvalidArgument("IMAGE_EMPTY", "the image has 0 bytes; send the bytes of an image file");
  if (StartsWith(bytes, "\xff\xd8\xff")) return DecodeJpeg(bytes, limits);
  if (StartsWith(bytes, "\x89PNG\r\n\x1a\n")) return DecodePng(bytes, limits);
  if (StartsWith(bytes, "RIFF") && bytes.substr(std::min<size_t>(8, bytes.size()), 4) == "WEBP") {
    return DecodeWebp(bytes, limits);
  }
  if (StartsWith(bytes, "GIF87a") || StartsWith(bytes, "GIF89a")) return DecodeGif(bytes, limits);
  if (IsTiff(bytes)) return DecodeTiff(bytes, limits);
  if (StartsWith(bytes, "BM")) return DecodeBmp(bytes, limits);
  if (IsNetpbm(bytes)) return DecodePpm(bytes, limits);
  if (IsCutSignature(bytes)) {
    return base::InvalidArgument(
        "IMAGE_TRUNCATED",
        fmt::format("the image ends after {} bytes, within its signature; send the whole file", bytes.size()));
  }
  return base::InvalidArgument(
      "IMAGE_UNKNOWN_FORMAT",
      fmt::format("the image of {} bytes starts with '{}', which is none of JPEG, PNG, WebP, GIF, TIFF, BMP, PPM, PGM",
                  bytes.size(), base::Printable(bytes.substr(0, 8))));
}

}  // namespace

absl::StatusOr<RgbImage> DecodeImage(std::string_view bytes, const DecodeLimits& limits) {
  try {
    return DecodeByFormat(bytes, limits);
  } catch (const std::bad_alloc&) {
    return base::ResourceExhausted("OUT_OF_MEMORY",
                                   "no memory to decode the image; send a smaller one or lower the limit on pixels");
  }
}

absl::Status CheckImageSize(int64_t width, int64_t height, const DecodeLimits& limits) {
  if (width <= 0 || height <= 0) {
    return base::InvalidArgument("IMAGE_EMPTY",
                                 fmt::format("the image is {} x {} pixels; both must be at least 1", width, height));
  }
  constexpr int64_t kMaximumSide = std::numeric_limits<int>::max();
  if (width > kMaximumSide || height > kMaximumSide || height > limits.maximum_pixels / width) {
    return base::InvalidArgument(
        "IMAGE_TOO_LARGE", fmt::format("the image is {} x {} pixels; at most {} pixels are accepted", width, height,
                                       limits.maximum_pixels));
  }
  return absl::OkStatus();
}

RgbImage MakeImage(int64_t width, int64_t height) {
  RgbImage image{static_cast<int>(width), static_cast<int>(height), {}};
  image.pixels.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
  return image;
}

}  // namespace modelpatch::data
