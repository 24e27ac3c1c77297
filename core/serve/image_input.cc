#include "core/serve/image_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace modelpatch::serve {
namespace {

absl::Status CheckPixels(const std::vector<float>& pixels, data::ImageSize image_size) {
  const auto wanted = static_cast<size_t>(3 * image_size.pixels());
  if (pixels.size() != wanted) {
    return base::InvalidArgument("BAD_IMAGE_TENSOR",
                                 fmt::format("the tensor has {} values; this model takes 3·{}·{} = {}", pixels.size(),
                                             image_size.height, image_size.width, wanted));
  }
  if (!std::all_of(pixels.begin(), pixels.end(), [](float value) { return std::isfinite(value); })) {
    return base::InvalidArgument("BAD_IMAGE_TENSOR", "the tensor holds NaN or infinity");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status PreprocessImage(const ImageInput& image, const data::PreprocessConfig& config,
                             const data::DecodeLimits& limits, float* out) {
  if (!image.pixels.empty()) {
    MP_RETURN_IF_ERROR(CheckPixels(image.pixels, config.image_size));
    std::copy(image.pixels.begin(), image.pixels.end(), out);
    return absl::OkStatus();
  }
  MP_ASSIGN_OR_RETURN(const data::RgbImage pixels, data::PreprocessToPixels(image.encoded, config, limits));
  data::NormalizeToPlanar(pixels.pixels.data(), config, out);
  return absl::OkStatus();
}

}  // namespace modelpatch::serve
