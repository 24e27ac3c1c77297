#include "core/data/image_size.h"

#include <fmt/format.h>

namespace modelpatch::data {

std::string Describe(ImageSize size) {
  return fmt::format("{} x {} pixels{}", size.height, size.width, size.is_square() ? "" : " (height x width)");
}

}  // namespace modelpatch::data
