#include "core/data/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace modelpatch::data {
namespace {

// As Python's round(): half to even, the default rounding mode.
int64_t Round(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

// excess / 2, rounded half to even.
int64_t HalfToEven(int64_t excess) {
  const int64_t half = excess / 2;
  return excess % 2 == 0 ? half : half + half % 2;
}

// The size to which an image of `source` is resized, before any crop.
ImageSize ResizedSize(ImageSize source, ImageSize wanted, ResizeMode mode) {
  if (mode == ResizeMode::kSquash) return wanted;
  if (mode == ResizeMode::kShortest && wanted.is_square()) {
    const int64_t side = wanted.height;
    return source.width <= source.height ? ImageSize(side * source.height / source.width, side)
                                         : ImageSize(side, side * source.width / source.height);
  }
  const double height = static_cast<double>(source.height);
  const double width = static_cast<double>(source.width);
  const double by_height = height / static_cast<double>(wanted.height);
  const double by_width = width / static_cast<double>(wanted.width);
  const double ratio = mode == ResizeMode::kShortest ? std::min(by_height, by_width) : std::max(by_height, by_width);
  return {std::max<int64_t>(1, Round(height / ratio)), std::max<int64_t>(1, Round(width / ratio))};
}

// One axis of the way from the resized image to the result: `count` pixels from `source` on lie at `target`.
struct Span {
  int64_t source, target, count;
};

Span Centre(int64_t resized, int64_t wanted) {
  if (resized >= wanted) return {HalfToEven(resized - wanted), 0, wanted};
  return {0, (wanted - resized) / 2, resized};
}

RgbImage WithMargins(const RgbImage& image, ImageSize size, int64_t left, int64_t top, int fill_color) {
  RgbImage result{static_cast<int>(size.width), static_cast<int>(size.height), {}};
  result.pixels.assign(static_cast<size_t>(3 * size.pixels()), static_cast<uint8_t>(fill_color));
  for (int64_t y = 0; y < image.height; ++y) {
    std::copy_n(image.pixels.begin() + y * image.width * 3, image.width * 3,
                result.pixels.begin() + ((top + y) * size.width + left) * 3);
  }
  return result;
}

}  // namespace

RgbImage ResizeForModel(const RgbImage& image, const PreprocessConfig& config) {
  const ImageSize size = config.image_size;
  const ImageSize resized =
      ResizedSize({image.height, image.width}, config.resize_size.value_or(size), config.resize_mode);
  const Span rows = Centre(resized.height, size.height);
  const Span columns = Centre(resized.width, size.width);
  RgbImage centre =
      ResizeThenCrop(image, resized, {columns.source, rows.source, columns.count, rows.count}, config.filter);
  if (rows.count == size.height && columns.count == size.width) return centre;
  return WithMargins(centre, size, columns.target, rows.target, config.fill_color);
}

void NormalizeToPlanar(const uint8_t* pixels, const PreprocessConfig& config, float* out) {
  const auto count = static_cast<size_t>(config.image_size.pixels());
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
  return ResizeForModel(image, config);
}

}  // namespace modelpatch::data
