// Images and encoded image files for tests of core/data, made by the format libraries themselves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/image.h"

namespace modelpatch::testing {

// Random pixels.
data::RgbImage NoiseImage(int width, int height, uint64_t seed);

// A smooth picture, that JPEG keeps well.
data::RgbImage GradientImage(int width, int height);

struct JpegOptions {
  int quality = 90;
  bool progressive = false;
  int channels = 3;  // 1: the red channel as grey. 3: RGB. 4: CMYK as Adobe writes it, the key at its lightest.
};
std::string EncodeJpeg(const data::RgbImage& image, const JpegOptions& options = {});

struct PngOptions {
  int width = 0;
  int height = 0;
  int bit_depth = 8;
  int colour_type = 2;  // PNG_COLOR_TYPE_…
  bool interlaced = false;
  std::vector<uint8_t> palette;       // RGB entries
  std::vector<uint8_t> transparency;  // alpha of the first palette entries
};
// `rows` are packed as the bit depth says (16 bit: big end first), each row starting on a byte.
std::string EncodePngRows(const PngOptions& options, const std::vector<uint8_t>& rows);

// `rgba`: uint8 [height, width, 4].
std::string EncodeLosslessWebp(int width, int height, const std::vector<uint8_t>& rgba);
std::string EncodeLossyWebp(const data::RgbImage& image);

}  // namespace modelpatch::testing
