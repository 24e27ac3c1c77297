// Any bytes as an image: refused, or pixels of the size that the image says.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/data/image_codec.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using modelpatch::fuzz::Require;
  // A small limit, so that the time goes into finding new paths.
  const modelpatch::data::DecodeLimits limits = {.maximum_pixels = 1 << 18, .maximum_jpeg_scans = 20};
  const auto image = modelpatch::data::DecodeImage({reinterpret_cast<const char*>(data), size}, limits);
  if (!image.ok()) {
    Require(!modelpatch::base::ReasonOf(image.status()).empty(), "an error has a reason");
    return 0;
  }
  Require(image->width > 0 && image->height > 0, "an image has pixels");
  const int64_t pixels = static_cast<int64_t>(image->width) * image->height;
  Require(pixels <= limits.maximum_pixels, "an image is within the limit");
  Require(static_cast<int64_t>(image->pixels.size()) == 3 * pixels, "three bytes a pixel");
  return 0;
}
