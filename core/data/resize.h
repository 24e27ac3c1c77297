// Resizing, bit for bit as Pillow's `Image.resize` on 8-bit channels.
//
// Separable and antialiased: the kernel is stretched by the scale when shrinking. The horizontal pass comes first and
// is rounded and clipped to uint8, then the vertical one; a pass whose size does not change is skipped. Weights are
// normalised in double and rounded to 22-bit fixed point, so everything after them is integer arithmetic and the same
// on every machine. Only the pixels that a result needs are computed. Every function expects an image of at least one
// pixel whose buffer fits its size, and positive sizes (that is, its callers have checked what came from outside).
// Thread safety: pure functions.
#pragma once

#include <cstdint>

#include "core/data/image.h"
#include "core/data/image_size.h"

namespace modelpatch::data {

enum class ResizeFilter {
  kBicubic,   // a = -0.5, support 2
  kBilinear,  // a triangle, support 1
};

// A rectangle of pixels.
struct Box {
  int64_t left = 0;
  int64_t top = 0;
  int64_t width = 0;
  int64_t height = 0;
};

// `image` as a whole at `size`.
RgbImage Resize(const RgbImage& image, ImageSize size, ResizeFilter filter);

// The part `crop`, which must lie within `resized`, of the image resized to `resized`. The cost is that of the part.
RgbImage ResizeThenCrop(const RgbImage& image, ImageSize resized, const Box& crop, ResizeFilter filter);

// torchvision's resized_crop: cuts `crop`, which must lie within `image`, and resizes it to `size`. The pixels around
// it do not matter.
RgbImage CropThenResize(const RgbImage& image, const Box& crop, ImageSize size, ResizeFilter filter);

}  // namespace modelpatch::data
