// Bicubic resizing, bit for bit as Pillow's `Image.resize(…, BICUBIC)` on 8-bit channels, and torchvision's two uses of
// it.
//
// Separable and antialiased: the kernel (a = -0.5, support 2) is stretched by the scale when shrinking. The horizontal
// pass comes first and is rounded and clipped to uint8, then the vertical one; a pass whose size does not change is
// skipped. Weights are normalised in double and rounded to 22-bit fixed point, so everything after them is integer
// arithmetic and the same on every machine. Only the pixels that a result needs are computed. Every function expects an
// image of at least one pixel whose buffer fits its size, and positive sizes (that is, its callers have checked what
// came from outside). Thread safety: pure functions.
#pragma once

#include "core/data/image.h"

namespace modelpatch::data {

// A rectangle of pixels.
struct Box {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

// `image` as a whole at `width` x `height`.
RgbImage ResizeBicubic(const RgbImage& image, int width, int height);

// torchvision's Resize(size) and CenterCrop(size), the evaluation transform of CLIP: the shorter side becomes `size`,
// the longer one size · long / short, truncated; the crop's offset is (side - size) / 2, rounded half to even. The cost
// does not grow with the length of the part that the crop discards, so that thin strips are harmless. Result: size x
// size.
RgbImage ResizeShorterSideAndCrop(const RgbImage& image, int size);

// torchvision's resized_crop: cuts `box`, which must lie within `image`, and resizes it to size x size. The pixels
// around the box do not matter.
RgbImage CropAndResize(const RgbImage& image, const Box& box, int size);

}  // namespace modelpatch::data
