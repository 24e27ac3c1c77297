// DecodeImage: the bytes of an image file to RGB pixels, as Pillow's `Image.open(f).convert("RGB")` would have them.
//
// Formats, told apart by their first bytes: JPEG (baseline, progressive; grey, YCbCr, RGB, CMYK, YCCK), PNG (all colour
// types and depths, Adam7), WebP (lossy, lossless; of an animation the first frame), GIF (the first frame), TIFF (the
// first image; grey, palette, RGB, CMYK, YCbCr in JPEG; strips, tiles, planes), BMP (1 to 32 bits, bit fields, runs),
// binary PPM and PGM of one byte a sample. As in Pillow, alpha is dropped and not composited (a TIFF's associated alpha
// is divided out), EXIF rotation and ICC profiles are ignored (but a TIFF's own orientation is not), 16-bit colour
// keeps its high byte, 16-bit grey is clipped at 255 (sic), CMYK JPEGs are taken as Adobe writes them (inverted), and
// damage inside the data of a JPEG is tolerated where libjpeg tolerates it, but a missing rest is not.
// Foreign bytes are safe to pass: memory and time are bounded by the limits, and nothing leaks on an error.
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/data/image.h"

namespace modelpatch::data {

struct DecodeLimits {
  // Width times height, checked against the file's header before anything of that size is allocated. Decoding takes 3
  // bytes a pixel, a progressive JPEG up to 11.
  int64_t maximum_pixels = int64_t{64} << 20;
  // Scans of a progressive JPEG. Encoders write about 10; a hostile file can ask for thousands of passes over all
  // pixels.
  int maximum_jpeg_scans = 100;
};

// Errors, all INVALID_ARGUMENT: IMAGE_EMPTY (no bytes, or no pixels), IMAGE_UNKNOWN_FORMAT, IMAGE_UNSUPPORTED (a known
// format's variant that is not read), IMAGE_TRUNCATED, IMAGE_CORRUPT, IMAGE_TOO_LARGE; and RESOURCE_EXHAUSTED
// (OUT_OF_MEMORY).
absl::StatusOr<RgbImage> DecodeImage(std::string_view bytes, const DecodeLimits& limits = {});

// `image` as an 8-bit RGB PNG file. INVALID_ARGUMENT (IMAGE_EMPTY, IMAGE_CORRUPT) if it has no pixels or if their
// number does not fit the size.
absl::StatusOr<std::string> EncodePng(const RgbImage& image);

}  // namespace modelpatch::data
