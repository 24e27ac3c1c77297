// ColorTable: the colours of an image whose pixels are indices. Private to core/data. Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace modelpatch::data {

// Red, green, blue.
using ColorTable = std::array<std::array<uint8_t, 3>, 256>;

// What an index is where a file has no colour for it: a shade of grey, as in Pillow 9.
inline ColorTable ShadesOfGrey() {
  ColorTable colors;
  for (size_t i = 0; i < colors.size(); ++i) colors[i].fill(static_cast<uint8_t>(i));
  return colors;
}

// Writes the colours of `count` indices to `rgb`.
inline void ApplyColors(const ColorTable& colors, const uint8_t* indices, size_t count, uint8_t* rgb) {
  for (size_t i = 0; i < count; ++i, rgb += 3) {
    const auto& color = colors[indices[i]];
    rgb[0] = color[0];
    rgb[1] = color[1];
    rgb[2] = color[2];
  }
}

}  // namespace modelpatch::data
