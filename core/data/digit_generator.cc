#include "core/data/digit_generator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/base/random.h"
#include "core/data/canvas.h"
#include "core/data/palette.h"

namespace modelpatch::data {
namespace {

constexpr std::array<std::string_view, 10> kDigitNames = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

using Stroke = std::vector<Point>;
using Glyph = std::vector<Stroke>;

// Points on an ellipse around (x, y), from angle `from` to `to` in degrees; 0 is right, 90 is down.
void AppendArc(Stroke& stroke, float x, float y, float radius_x, float radius_y, float from, float to) {
  const int steps = std::max(4, static_cast<int>(std::fabs(to - from) / 24.0f));
  for (int i = 0; i <= steps; ++i) {
    const float angle =
        (from + (to - from) * static_cast<float>(i) / static_cast<float>(steps)) * std::numbers::pi_v<float> / 180.0f;
    stroke.push_back({x + radius_x * std::cos(angle), y + radius_y * std::sin(angle)});
  }
}

Stroke Arc(float x, float y, float radius_x, float radius_y, float from, float to) {
  Stroke stroke;
  AppendArc(stroke, x, y, radius_x, radius_y, from, to);
  return stroke;
}

// The digits in a box of x in [-0.6, 0.6] and y in [-1, 1], some with two ways of writing them.
Glyph MakeGlyph(int digit, bool variant) {
  switch (digit) {
    case 0:
      return {Arc(0, 0, 0.58f, 1.0f, -90, 270)};
    case 1:
      if (variant) return {{{0, -1}, {0, 1}}};
      return {{{-0.35f, -0.6f}, {0.05f, -1}, {0.05f, 1}}};
    case 2: {
      Stroke stroke = Arc(0, -0.45f, 0.55f, 0.55f, -170, 40);
      stroke.push_back({-0.55f, 1});
      stroke.push_back({0.6f, 1});
      return {stroke};
    }
    case 3: {
      Stroke stroke = Arc(-0.05f, -0.5f, 0.52f, 0.5f, -150, 90);
      AppendArc(stroke, -0.05f, 0.5f, 0.6f, 0.5f, -90, 150);
      return {stroke};
    }
    case 4:
      if (variant) return {{{-0.5f, -1}, {-0.5f, 0.15f}, {0.55f, 0.15f}}, {{0.35f, -1}, {0.35f, 1}}};
      return {{{0.3f, 1}, {0.3f, -1}, {-0.58f, 0.4f}, {0.6f, 0.4f}}};
    case 5: {
      Stroke stroke = {{0.5f, -1}, {-0.42f, -1}, {-0.48f, -0.1f}};
      AppendArc(stroke, -0.05f, 0.38f, 0.6f, 0.62f, -130, 140);
      return {stroke};
    }
    case 6: {
      Stroke stroke = {{0.38f, -1}, {-0.1f, -0.72f}, {-0.45f, -0.15f}};
      AppendArc(stroke, 0, 0.45f, 0.52f, 0.55f, -180, 180);
      return {stroke};
    }
    case 7:
      if (variant) return {{{-0.55f, -1}, {0.55f, -1}, {-0.15f, 1}}, {{-0.3f, 0}, {0.5f, 0}}};
      return {{{-0.55f, -1}, {0.55f, -1}, {-0.15f, 1}}};
    case 8:
      return {Arc(0, -0.5f, 0.46f, 0.48f, 90, 450), Arc(0, 0.5f, 0.56f, 0.5f, -90, 270)};
    default: {
      Stroke stroke = Arc(0, -0.45f, 0.52f, 0.55f, 0, -360);
      stroke.push_back({0.5f, 0.2f});
      stroke.push_back({variant ? 0.45f : 0.1f, 1});
      return {stroke};
    }
  }
}

// Bends the glyph smoothly, as a hand does: each point moves by a slow wave in both directions.
void Bend(Glyph& glyph, base::RandomStream& random) {
  const auto uniform = [&random](double low, double high) { return static_cast<float>(random.Uniform(low, high)); };
  const float turn = 2.0f * std::numbers::pi_v<float>;
  const Point phase{uniform(0, turn), uniform(0, turn)};
  const Point strength{uniform(0.0, 0.11), uniform(0.0, 0.11)};
  const float frequency = uniform(1.0, 2.6);
  for (Stroke& stroke : glyph) {
    for (Point& point : stroke) {
      const Point before = point;
      point.x += strength.x * std::sin(frequency * before.y + phase.x);
      point.y += strength.y * std::sin(frequency * before.x + phase.y);
    }
  }
}

// The ink: white, in kColorNames.
constexpr size_t kChalk = 8;

class DigitGenerator final : public Generator {
 public:
  std::string_view name() const override { return "digits"; }
  std::span<const std::string_view> class_names() const override { return kDigitNames; }

  GeneratedExample Draw(uint64_t seed, Split split, int64_t index, int side) const override {
    base::RandomStream random(seed, "generator/digits", static_cast<uint64_t>(split), static_cast<uint64_t>(index));
    const auto uniform = [&random](double low, double high) { return static_cast<float>(random.Uniform(low, high)); };
    const auto label = static_cast<size_t>(index) % kDigitNames.size();
    const Color ink = DrawNamedColor(kChalk, random);
    // A dark board, nearly grey: what is written matters, not in which colour.
    const float darkness = uniform(0.0, 0.25);
    Color background;
    for (float& value : background) value = std::clamp(darkness + uniform(-0.04, 0.04), 0.0f, 1.0f);
    Color accent = background;
    for (float& value : accent) value = std::clamp(value + uniform(-0.08, 0.08), 0.0f, 1.0f);
    Canvas canvas(side);
    PaintBackground(canvas, background, accent, random);

    Glyph glyph = MakeGlyph(static_cast<int>(label), random.Below(3) == 0);
    Bend(glyph, random);
    const float height = uniform(0.6, 0.82);
    const float room = 0.4f * (0.92f - height);
    // One statement a number: the order in which a call's arguments are evaluated is the compiler's choice.
    const float angle = uniform(-0.15, 0.15);
    const float shear = uniform(-0.25, 0.25);
    const float width = height * uniform(0.75, 1.15);
    const Point center{uniform(-room, room), uniform(-room, room)};
    const Affine affine = MakeAffine(angle, shear, width, height, center);
    for (Stroke& stroke : glyph) {
      for (Point& point : stroke) point = affine.Apply(point);
    }
    const float pen = uniform(0.08, 0.15);
    // Most pixels are far from the glyph: its bounding box spares them the segments.
    Point low{1e9f, 1e9f}, high{-1e9f, -1e9f};
    for (const Stroke& stroke : glyph) {
      for (const Point& point : stroke) {
        low = {std::min(low.x, point.x), std::min(low.y, point.y)};
        high = {std::max(high.x, point.x), std::max(high.y, point.y)};
      }
    }
    canvas.Paint(ink, uniform(0.85, 1.0), [&](Point p) {
      const float outside = std::max({low.x - p.x, p.x - high.x, low.y - p.y, p.y - high.y});
      if (outside > pen + 4.0f / static_cast<float>(side)) return outside - pen;
      float nearest = 1e9f;
      for (const Stroke& stroke : glyph) {
        for (size_t i = 1; i < stroke.size(); ++i) {
          nearest = std::min(nearest, SquaredDistanceToSegment(p, stroke[i - 1], stroke[i]));
        }
      }
      return std::sqrt(nearest) - pen;
    });
    canvas.AddNoise(uniform(0.01, 0.06), random);

    GeneratedExample example;
    example.image = canvas.ToImage();
    example.label = static_cast<int32_t>(label);
    example.shape = kDigitNames[label];
    example.color = kColorNames[kChalk];
    return example;
  }
};

}  // namespace

std::shared_ptr<const Generator> MakeDigitGenerator() { return std::make_shared<const DigitGenerator>(); }

}  // namespace modelpatch::data
