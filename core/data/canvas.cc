#include "core/data/canvas.h"

#include <algorithm>
#include <cstdint>
#include <numbers>

namespace modelpatch::data {
namespace {

Color Mixed(const Color& a, const Color& b, float share) {
  Color mixed;
  for (size_t channel = 0; channel < 3; ++channel) mixed[channel] = a[channel] + share * (b[channel] - a[channel]);
  return mixed;
}

float Draw(base::RandomStream& random, double low, double high) {
  return static_cast<float>(random.Uniform(low, high));
}

}  // namespace

Affine Affine::Inverse() const {
  const float determinant = matrix[0] * matrix[3] - matrix[1] * matrix[2];
  Affine inverse;
  inverse.matrix = {matrix[3] / determinant, -matrix[1] / determinant, -matrix[2] / determinant,
                    matrix[0] / determinant};
  const Point moved = inverse.Apply(offset);
  inverse.offset = {-moved.x, -moved.y};
  return inverse;
}

Affine MakeAffine(float angle, float shear, float scale_x, float scale_y, Point offset) {
  const float c = std::cos(angle), s = std::sin(angle);
  Affine affine;
  affine.matrix = {c * scale_x, (c * shear - s) * scale_y, s * scale_x, (s * shear + c) * scale_y};
  affine.offset = offset;
  return affine;
}

void Canvas::AddNoise(float deviation, base::RandomStream& random) {
  // Four uniform numbers of 16 bits from one draw; their sum has mean 2 and variance 1/3.
  const float scale = deviation * std::sqrt(3.0f);
  for (Color& pixel : pixels_) {
    for (float& value : pixel) {
      const uint64_t bits = random.NextBits();
      const uint64_t sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
      value += scale * (static_cast<float>(sum) * (1.0f / 65536.0f) - 2.0f);
    }
  }
}

RgbImage Canvas::ToImage() const {
  RgbImage image{side_, side_, std::vector<uint8_t>(3 * pixels_.size())};
  for (size_t i = 0; i < pixels_.size(); ++i) {
    for (size_t channel = 0; channel < 3; ++channel) {
      image.pixels[3 * i + channel] = static_cast<uint8_t>(std::clamp(pixels_[i][channel], 0.0f, 1.0f) * 255.0f + 0.5f);
    }
  }
  return image;
}

void PaintBackground(Canvas& canvas, const Color& base, const Color& accent, base::RandomStream& random) {
  const uint64_t kind = random.Below(4);
  const float strength = Draw(random, 0.3, 1.0);
  const float angle = Draw(random, 0.0, 2.0 * std::numbers::pi);
  const float phase = Draw(random, 0.0, 2.0 * std::numbers::pi);
  const float frequency = Draw(random, 3.0, 9.0);
  const Point direction{std::cos(angle), std::sin(angle)};
  const Point blotches[3] = {{Draw(random, -1, 1), Draw(random, -1, 1)},
                             {Draw(random, -1, 1), Draw(random, -1, 1)},
                             {Draw(random, -1, 1), Draw(random, -1, 1)}};
  canvas.Fill([&](Point p) {
    const float along = direction.x * p.x + direction.y * p.y;
    const float across = direction.x * p.y - direction.y * p.x;
    float share = 0;
    if (kind == 0) share = 0.5f + 0.35f * along;
    if (kind == 1) share = 0.5f + 0.5f * std::sin(frequency * along + phase);
    if (kind == 2)
      share = 0.5f + 0.5f * std::tanh(4.0f * std::sin(frequency * along + phase) * std::sin(frequency * across));
    if (kind == 3) {
      for (const Point& blotch : blotches) {
        const float dx = p.x - blotch.x, dy = p.y - blotch.y;
        share += std::exp(-frequency * (dx * dx + dy * dy));
      }
    }
    return Mixed(base, accent, strength * std::clamp(share, 0.0f, 1.0f));
  });
}

}  // namespace modelpatch::data
