#include "core/data/augmentation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace modelpatch::data {
namespace {

// Python's round: half to even, as the default rounding mode has it.
int Round(double value) { return static_cast<int>(std::nearbyint(value)); }

}  // namespace

Box DrawRandomCrop(int width, int height, const RandomCropOptions& options, base::RandomStream& random) {
  const double area = static_cast<double>(width) * height;
  const double lowest = std::log(options.minimum_ratio);
  const double highest = std::log(options.maximum_ratio);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = area * random.Uniform(options.minimum_scale, options.maximum_scale);
    const double ratio = std::exp(random.Uniform(lowest, highest));
    Box box;
    box.width = Round(std::sqrt(target * ratio));
    box.height = Round(std::sqrt(target / ratio));
    if (box.width <= 0 || box.width > width || box.height <= 0 || box.height > height) continue;
    box.top = static_cast<int>(random.Below(static_cast<uint64_t>(height - box.height) + 1));
    box.left = static_cast<int>(random.Below(static_cast<uint64_t>(width - box.width) + 1));
    return box;
  }
  Box box{0, 0, width, height};
  const double ratio = static_cast<double>(width) / height;
  // An extremely thin image would round to no pixel: one is the least.
  if (ratio < options.minimum_ratio) box.height = std::max(1, Round(width / options.minimum_ratio));
  if (ratio > options.maximum_ratio) box.width = std::max(1, Round(height * options.maximum_ratio));
  box.top = (height - box.height) / 2;
  box.left = (width - box.width) / 2;
  return box;
}

}  // namespace modelpatch::data
