#include "core/data/palette.h"

#include <algorithm>
#include <cmath>

namespace modelpatch::data {
namespace {

constexpr std::array<Color, kColorNames.size()> kColors = {{
    {0.86f, 0.10f, 0.12f},
    {0.98f, 0.52f, 0.05f},
    {0.97f, 0.90f, 0.12f},
    {0.10f, 0.66f, 0.18f},
    {0.15f, 0.85f, 0.88f},
    {0.12f, 0.22f, 0.88f},
    {0.50f, 0.12f, 0.66f},
    {0.98f, 0.52f, 0.74f},
    {0.97f, 0.97f, 0.97f},
    {0.05f, 0.05f, 0.05f},
}};

}  // namespace

Color DrawNamedColor(size_t index, base::RandomStream& random) {
  Color color = kColors[index];
  const auto brightness = static_cast<float>(random.Uniform(0.88, 1.06));
  for (float& value : color) {
    value = std::clamp(brightness * value + static_cast<float>(random.Uniform(-0.06, 0.06)), 0.0f, 1.0f);
  }
  return color;
}

Color DrawBackgroundColor(const Color& foreground, float contrast, base::RandomStream& random) {
  Color color{};
  // Eight tries are enough nearly always; the last one stands.
  for (int attempt = 0; attempt < 8; ++attempt) {
    const double grey = random.Uniform(0.12, 0.85);
    for (float& value : color) value = static_cast<float>(std::clamp(grey + random.Uniform(-0.13, 0.13), 0.0, 1.0));
    float difference = 0;
    for (size_t channel = 0; channel < 3; ++channel) difference += std::fabs(color[channel] - foreground[channel]);
    if (std::fabs(Luminance(color) - Luminance(foreground)) >= contrast || difference >= 2.5f * contrast) break;
  }
  return color;
}

}  // namespace modelpatch::data
