// Canvas: a small float RGB picture that the generators draw on, anti-aliased through signed distances.
//
// Coordinates run from -1 (left, top) to 1 (right, bottom); pixel centres are half a pixel inside.
// Private to core/data. Thread safety: a Canvas belongs to one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "core/base/random.h"
#include "core/data/image.h"

namespace modelpatch::data {

struct Point {
  float x = 0;
  float y = 0;
};

// Red, green, blue in [0, 1].
using Color = std::array<float, 3>;

// Rec. 601 luma.
inline float Luminance(const Color& color) { return 0.299f * color[0] + 0.587f * color[1] + 0.114f * color[2]; }

inline float Length(Point p) { return std::sqrt(p.x * p.x + p.y * p.y); }

// The squared distance of `p` from the segment between `a` and `b`. Squared, since a minimum over many segments needs
// but one root.
inline float SquaredDistanceToSegment(Point p, Point a, Point b) {
  const Point along{b.x - a.x, b.y - a.y};
  const Point to{p.x - a.x, p.y - a.y};
  const float length = along.x * along.x + along.y * along.y;
  const float t = length > 0 ? std::min(1.0f, std::max(0.0f, (to.x * along.x + to.y * along.y) / length)) : 0.0f;
  const float dx = to.x - t * along.x, dy = to.y - t * along.y;
  return dx * dx + dy * dy;
}

// A linear map of the plane and its move: p = matrix · q + offset. `Inverse` maps back.
struct Affine {
  std::array<float, 4> matrix = {1, 0, 0, 1};  // row by row
  Point offset;

  Point Apply(Point q) const {
    return {matrix[0] * q.x + matrix[1] * q.y + offset.x, matrix[2] * q.x + matrix[3] * q.y + offset.y};
  }
  Affine Inverse() const;
};

// Rotation by `angle` (radians, clockwise on screen), after a shear in x and scales along x and y.
Affine MakeAffine(float angle, float shear, float scale_x, float scale_y, Point offset);

class Canvas {
 public:
  // `side` > 0 pixels.
  explicit Canvas(int side) : side_(side), pixels_(static_cast<size_t>(side) * static_cast<size_t>(side)) {}

  int side() const { return side_; }

  // Sets every pixel to `color_at(Point)`.
  template <typename ColorAt>
  void Fill(const ColorAt& color_at) {
    for (int y = 0; y < side_; ++y) {
      for (int x = 0; x < side_; ++x) At(x, y) = color_at(Center(x, y));
    }
  }

  // Paints `color` where `distance_at(Point)` (negative inside, in canvas units) is below 0, blending over one pixel.
  template <typename DistanceAt>
  void Paint(const Color& color, float opacity, const DistanceAt& distance_at) {
    const float pixels_per_unit = 0.5f * static_cast<float>(side_);
    for (int y = 0; y < side_; ++y) {
      for (int x = 0; x < side_; ++x) {
        const float coverage =
            opacity * std::min(1.0f, std::max(0.0f, 0.5f - distance_at(Center(x, y)) * pixels_per_unit));
        Color& pixel = At(x, y);
        for (size_t channel = 0; channel < 3; ++channel) pixel[channel] += coverage * (color[channel] - pixel[channel]);
      }
    }
  }

  // Adds bell-shaped noise of deviation `deviation` to every value: the sum of four uniform numbers, which is cheap.
  void AddNoise(float deviation, base::RandomStream& random);

  // The picture, clipped to [0, 1] and rounded to bytes.
  RgbImage ToImage() const;

 private:
  Color& At(int x, int y) {
    return pixels_[static_cast<size_t>(y) * static_cast<size_t>(side_) + static_cast<size_t>(x)];
  }
  Point Center(int x, int y) const {
    const float scale = 2.0f / static_cast<float>(side_);
    return {(static_cast<float>(x) + 0.5f) * scale - 1.0f, (static_cast<float>(y) + 0.5f) * scale - 1.0f};
  }

  int side_;
  std::vector<Color> pixels_;
};

// A background: one colour with a gradient, stripes, checks or blotches of another over it.
void PaintBackground(Canvas& canvas, const Color& base, const Color& accent, base::RandomStream& random);

}  // namespace modelpatch::data
