// Binary PPM (P6) and PGM (P5) with one byte a sample. Format: https://netpbm.sourceforge.net/doc/ppm.html
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "core/base/text.h"
#include "core/data/image_decoders.h"

namespace modelpatch::data {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Reads the next decimal number of the header and the one byte after it, past white space and `#` comments.
absl::StatusOr<int64_t> ReadNumber(std::string_view bytes, size_t& offset, std::string_view what) {
  constexpr size_t kMaximumDigits = 10;
  std::string digits;
  while (offset < bytes.size()) {
    const char c = bytes[offset++];
    if (c == '#') {
      offset = std::min(bytes.find_first_of("\r\n", offset), bytes.size());
    } else if (!IsSpace(c)) {
      digits += c;
      if (c < '0' || c > '9' || digits.size() > kMaximumDigits) {
        return base::InvalidArgument(
            "IMAGE_CORRUPT",
            fmt::format("the PPM image's {} starts with '{}', which is not a number", what, base::Printable(digits)));
      }
    } else if (!digits.empty()) {
      return std::stoll(digits);
    }
  }
  return base::InvalidArgument("IMAGE_TRUNCATED", fmt::format("the PPM image ends before its {}", what));
}

}  // namespace

absl::StatusOr<RgbImage> DecodePpm(std::string_view bytes, const DecodeLimits& limits) {
  const char kind = bytes[1];
  if (kind != '5' && kind != '6') {
    return base::InvalidArgument(
        "IMAGE_UNSUPPORTED",
        fmt::format("the image is Netpbm P{}; of these only binary PGM (P5) and PPM (P6) are read", kind));
  }
  size_t offset = 2;
  MP_ASSIGN_OR_RETURN(const int64_t width, ReadNumber(bytes, offset, "width"));
  MP_ASSIGN_OR_RETURN(const int64_t height, ReadNumber(bytes, offset, "height"));
  MP_ASSIGN_OR_RETURN(const int64_t maximum, ReadNumber(bytes, offset, "maximum value"));
  MP_RETURN_IF_ERROR(CheckImageSize(width, height, limits));
  if (maximum < 1 || maximum > 65535) {
    return base::InvalidArgument("IMAGE_CORRUPT",
                                 fmt::format("the PPM image's maximum value is {}; it must be 1 to 255", maximum));
  }
  if (maximum > 255) {
    return base::InvalidArgument("IMAGE_UNSUPPORTED",
                                 fmt::format("the PPM image's maximum value is {}; only 1 to 255 are read", maximum));
  }
  const size_t samples = static_cast<size_t>(width) * static_cast<size_t>(height) * (kind == '6' ? 3 : 1);
  if (bytes.size() - offset < samples) {
    return base::InvalidArgument("IMAGE_TRUNCATED",
                                 fmt::format("the PPM image has {} of its {} bytes of pixels; send the whole file",
                                             bytes.size() - offset, samples));
  }
  // As Pillow scales: to the nearest, ties to even.
  std::array<uint8_t, 256> scaled;
  for (size_t value = 0; value < scaled.size(); ++value) {
    const double exact = static_cast<double>(value) / static_cast<double>(maximum) * 255.0;
    scaled[value] = static_cast<uint8_t>(std::min(255.0, std::nearbyint(exact)));
  }
  RgbImage image = MakeImage(width, height);
  const auto* source = reinterpret_cast<const uint8_t*>(bytes.data() + offset);
  const size_t repeat = kind == '6' ? 1 : 3;
  uint8_t* target = image.pixels.data();
  for (size_t i = 0; i < samples; ++i) target = std::fill_n(target, repeat, scaled[source[i]]);
  return image;
}

}  // namespace modelpatch::data
