// The samples of a TIFF image, as libtiff hands them over, to RGB as Pillow has it. Private to core/data; knows no
// libtiff. Thread safety: none beyond that of plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/status.h"
#include "core/data/color_table.h"
#include "core/data/image.h"

namespace modelpatch::data {

// What a file says of its samples; the numbers are those of TIFF 6.0.
struct TiffLayout {
  int64_t width = 0, height = 0;  // pixels
  uint16_t photometric = 0;       // 0 white is zero, 1 black is zero, 2 RGB, 3 palette, 5 CMYK
  uint16_t bits = 1;              // a sample: 1, 2, 4, 8 or 16
  uint16_t samples = 1;           // a pixel, extra ones included
  uint16_t sample_format = 1;     // 1 unsigned integers
  uint16_t orientation = 1;
  bool is_planar = false;             // each sample has a plane of its own
  bool has_associated_alpha = false;  // the first extra sample multiplies the others
  ColorTable colors = {};
};

// INVALID_ARGUMENT (IMAGE_UNSUPPORTED) unless TiffPixels reads it: shades of grey of 1 to 16 bits, indices of 1 to 8,
// RGB of 8 and 16, CMYK of 8, and at most six samples a pixel.
absl::Status CheckTiffLayout(const TiffLayout& layout);

class TiffPixels {
 public:
  // The layout must have passed CheckTiffLayout.
  explicit TiffPixels(const TiffLayout& layout);

  const TiffLayout& layout() const { return layout_; }
  // How many planes hold what is needed, each of which is stored apart; 1 if all samples of a pixel lie together.
  uint16_t planes() const;
  // The bytes of a row of so many pixels, of one plane.
  size_t RowBytes(size_t width) const;
  // Converts `width` pixels of one row: 16-bit samples in the machine's order, smaller ones from the highest bit on.
  // `rgb`: uint8 [width, 3]. Planes come in their order.
  void Store(const uint8_t* row, uint16_t plane, size_t width, uint8_t* rgb);

 private:
  void ReadSamples(const uint8_t* row, size_t width);
  void Convert(size_t width, uint8_t* rgb) const;

  TiffLayout layout_;
  std::vector<uint8_t> samples_;  // of one row, 8 bits each
};

// The image turned and mirrored as the TIFF orientation 1 … 8 says; others change nothing.
RgbImage Oriented(RgbImage image, uint16_t orientation);

}  // namespace modelpatch::data
