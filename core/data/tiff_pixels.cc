#include "core/data/tiff_pixels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace modelpatch::data {
namespace {

enum Photometric : uint16_t { kWhiteIsZero = 0, kBlackIsZero = 1, kRgb = 2, kPalette = 3, kCmyk = 5 };

constexpr uint16_t kMaximumSamples = 6;
constexpr uint16_t kUnsignedIntegers = 1;

bool IsGrey(const TiffLayout& layout) {
  return layout.photometric == kWhiteIsZero || layout.photometric == kBlackIsZero;
}

// The samples of a pixel that its colour needs.
uint16_t ColorSamples(const TiffLayout& layout) {
  return layout.photometric == kRgb ? 3 : layout.photometric == kCmyk ? 4 : 1;
}

bool IsKnownDepth(const TiffLayout& layout) {
  if (layout.photometric == kRgb) return layout.bits == 8 || layout.bits == 16;
  if (layout.photometric == kCmyk || layout.samples > 1) return layout.bits == 8;
  return layout.bits == 1 || layout.bits == 2 || layout.bits == 4 || layout.bits == 8 ||
         (IsGrey(layout) && layout.bits == 16);
}

// 16-bit samples of the machine's order: of colours the high byte is kept, shades of grey are clipped, as in Pillow.
void Narrow(const uint8_t* row, bool clips, std::vector<uint8_t>& samples) {
  for (size_t i = 0; i < samples.size(); ++i) {
    uint16_t value;
    std::memcpy(&value, row + 2 * i, sizeof(value));
    samples[i] = static_cast<uint8_t>(clips ? std::min<uint16_t>(value, 255) : value >> 8);
  }
}

// Samples of less than 8 bits, multiplied with `scale`.
void Widen(const uint8_t* row, unsigned bits, unsigned scale, std::vector<uint8_t>& samples) {
  const unsigned mask = (1u << bits) - 1;
  for (size_t i = 0; i < samples.size(); ++i) {
    const size_t bit = i * bits;
    samples[i] = static_cast<uint8_t>((row[bit / 8] >> (8 - bits - bit % 8) & mask) * scale);
  }
}

// ink · (255 - key) / 255, rounded, taken from 255 - key.
uint8_t WithoutInk(int ink, int key) {
  const int rest = 255 - key;
  const int product = ink * rest + 128;
  return static_cast<uint8_t>(rest - (((product >> 8) + product) >> 8));
}

}  // namespace

absl::Status CheckTiffLayout(const TiffLayout& layout) {
  const bool is_known =
      IsGrey(layout) || layout.photometric == kRgb || layout.photometric == kPalette || layout.photometric == kCmyk;
  const bool planes_are_known = !layout.is_planar || (layout.photometric != kCmyk && !layout.has_associated_alpha);
  if (is_known && layout.sample_format == kUnsignedIntegers && layout.samples >= ColorSamples(layout) &&
      layout.samples <= kMaximumSamples && IsKnownDepth(layout) && planes_are_known) {
    return absl::OkStatus();
  }
  return base::InvalidArgument(
      "IMAGE_UNSUPPORTED",
      fmt::format("the TIFF image has {} samples of {} bits a pixel, photometric interpretation {} and sample format "
                  "{}{}, which is not read; save it as 8-bit RGB",
                  layout.samples, layout.bits, layout.photometric, layout.sample_format,
                  layout.is_planar ? " in planes" : ""));
}

TiffPixels::TiffPixels(const TiffLayout& layout) : layout_(layout) {}

uint16_t TiffPixels::planes() const { return layout_.is_planar ? ColorSamples(layout_) : uint16_t{1}; }

size_t TiffPixels::RowBytes(size_t width) const {
  const size_t samples = layout_.is_planar ? 1 : layout_.samples;
  return (width * samples * layout_.bits + 7) / 8;
}

void TiffPixels::ReadSamples(const uint8_t* row, size_t width) {
  samples_.resize(width * (layout_.is_planar ? 1 : layout_.samples));
  if (layout_.bits == 16) {
    Narrow(row, IsGrey(layout_), samples_);
  } else if (layout_.bits == 8) {
    std::copy_n(row, samples_.size(), samples_.begin());
  } else {
    const unsigned bits = layout_.bits;
    Widen(row, bits, IsGrey(layout_) ? 255 / ((1u << bits) - 1) : 1, samples_);
  }
  // Pillow leaves 16-bit shades as they are.
  if (layout_.photometric == kWhiteIsZero && layout_.bits < 16) {
    for (uint8_t& sample : samples_) sample = static_cast<uint8_t>(255 - sample);
  }
}

void TiffPixels::Convert(size_t width, uint8_t* rgb) const {
  const uint8_t* pixel = samples_.data();
  for (size_t x = 0; x < width; ++x, pixel += layout_.samples, rgb += 3) {
    if (layout_.photometric == kRgb && layout_.has_associated_alpha && layout_.samples > 3) {
      const int alpha = pixel[3];
      for (int i = 0; i < 3; ++i) {
        rgb[i] = alpha == 0 ? uint8_t{0} : static_cast<uint8_t>(std::min(255, pixel[i] * 255 / alpha));
      }
    } else if (layout_.photometric == kRgb) {
      std::copy_n(pixel, 3, rgb);
    } else if (layout_.photometric == kCmyk) {
      for (int i = 0; i < 3; ++i) rgb[i] = WithoutInk(pixel[i], pixel[3]);
    } else if (layout_.photometric == kPalette) {
      std::copy_n(layout_.colors[*pixel].begin(), 3, rgb);
    } else {
      std::fill_n(rgb, 3, *pixel);
    }
  }
}

void TiffPixels::Store(const uint8_t* row, uint16_t plane, size_t width, uint8_t* rgb) {
  ReadSamples(row, width);
  if (layout_.is_planar && layout_.photometric == kRgb) {
    for (size_t x = 0; x < width; ++x) rgb[3 * x + plane] = samples_[x];
    return;
  }
  if (layout_.is_planar) layout_.samples = 1;
  Convert(width, rgb);
}

RgbImage Oriented(RgbImage image, uint16_t orientation) {
  if (orientation < 2 || orientation > 8) return image;
  // Bit by bit: 5 … 8 swap rows and columns; then columns, then rows may run backwards.
  const bool swaps = orientation >= 5;
  const bool backwards_x = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool backwards_y = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  RgbImage result{swaps ? image.height : image.width, swaps ? image.width : image.height, {}};
  result.pixels.resize(image.pixels.size());
  auto* target = result.pixels.data();
  for (int64_t y = 0; y < result.height; ++y) {
    for (int64_t x = 0; x < result.width; ++x, target += 3) {
      const int64_t column = backwards_x ? result.width - 1 - x : x;
      const int64_t row = backwards_y ? result.height - 1 - y : y;
      const int64_t source = swaps ? column * image.width + row : row * image.width + column;
      std::memcpy(target, &image.pixels[static_cast<size_t>(3 * source)], 3);
    }
  }
  return result;
}

}  // namespace modelpatch::data
