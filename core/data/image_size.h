// ImageSize: how many pixels an image has, or is to have. A plain value.
#pragma once

#include <cstdint>
#include <string>

namespace modelpatch::data {

struct ImageSize {
  int64_t height = 0;  // pixels
  int64_t width = 0;   // pixels

  constexpr ImageSize() = default;
  // A square. Implicit, since most models take squares and their configs give one number.
  constexpr ImageSize(int64_t side) : height(side), width(side) {}  // NOLINT(google-explicit-constructor)
  constexpr ImageSize(int64_t rows, int64_t columns) : height(rows), width(columns) {}

  constexpr bool is_square() const { return height == width; }
  // Both sides of a size that comes from outside must have been checked before: this may overflow.
  constexpr int64_t pixels() const { return height * width; }
  constexpr bool operator==(const ImageSize&) const = default;
};

// "224 x 224 pixels"; "224 x 448 pixels (height x width)".
std::string Describe(ImageSize size);

}  // namespace modelpatch::data
