// RgbImage: decoded pixels. A plain value, owns its memory; no invariants beyond `pixels.size() == 3 · width · height`,
// which every function of this room that returns one keeps and every function that takes one relies on.
#pragma once

#include <cstdint>
#include <vector>

namespace modelpatch::data {

struct RgbImage {
  int width = 0;   // pixels
  int height = 0;  // pixels
  // uint8 [height, width, 3], red first, rows from the top, without padding.
  std::vector<uint8_t> pixels;
};

}  // namespace modelpatch::data
