#include "core/data/shape_generator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/base/random.h"
#include "core/data/canvas.h"
#include "core/data/palette.h"

namespace modelpatch::data {
namespace {

enum Shape { kCircle, kSquare, kTriangle, kCross, kStar, kRing, kDiamond, kBar, kCrescent, kHeart };

constexpr std::array<std::string_view, 10> kShapeNames = {"circle", "square",  "triangle", "cross",    "star",
                                                          "ring",   "diamond", "bar",      "crescent", "heart"};

float BoxDistance(Point p, float half_width, float half_height) {
  const float dx = std::fabs(p.x) - half_width, dy = std::fabs(p.y) - half_height;
  return Length({std::max(dx, 0.0f), std::max(dy, 0.0f)}) + std::min(std::max(dx, dy), 0.0f);
}

// The distance of `p` from the polygon, negative inside (even-odd).
template <size_t N>
float Polygon(Point p, const std::array<Point, N>& corners) {
  float nearest = 1e9f;
  bool inside = false;
  for (size_t i = 0; i < N; ++i) {
    const Point a = corners[i], b = corners[(i + 1) % N];
    nearest = std::min(nearest, SquaredDistanceToSegment(p, a, b));
    if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x) inside = !inside;
  }
  return inside ? -std::sqrt(nearest) : std::sqrt(nearest);
}

std::array<Point, 10> MakeStar() {
  std::array<Point, 10> corners;
  for (size_t i = 0; i < corners.size(); ++i) {
    const float radius = i % 2 == 0 ? 1.1f : 0.45f;
    const float angle = std::numbers::pi_v<float> * (static_cast<float>(i) / 5.0f - 0.5f);
    corners[i] = {radius * std::cos(angle), radius * std::sin(angle)};
  }
  return corners;
}

// A heart: two discs and the corner below them.
float Heart(Point p) {
  const float x = std::fabs(p.x);
  const float disc = Length({x - 0.46f, p.y + 0.35f}) - 0.54f;
  const std::array<Point, 4> corner = {{{-0.93f, -0.08f}, {0.0f, -0.45f}, {0.93f, -0.08f}, {0.0f, 1.0f}}};
  return std::min(disc, Polygon(p, corner));
}

// The signed distance of the shapes at a size of about 1.
float Distance(Shape shape, Point p) {
  static constexpr std::array<Point, 3> kTriangleCorners = {{{0.0f, -1.0f}, {1.0f, 0.8f}, {-1.0f, 0.8f}}};
  static constexpr std::array<Point, 4> kDiamondCorners = {
      {{0.0f, -1.1f}, {0.75f, 0.0f}, {0.0f, 1.1f}, {-0.75f, 0.0f}}};
  static const std::array<Point, 10> kStarCorners = MakeStar();
  const float radius = Length(p);
  switch (shape) {
    case kCircle:
      return radius - 0.9f;
    case kSquare:
      return BoxDistance(p, 0.8f, 0.8f);
    case kTriangle:
      return Polygon(p, kTriangleCorners);
    case kCross:
      return std::min(BoxDistance(p, 1.0f, 0.32f), BoxDistance(p, 0.32f, 1.0f));
    case kStar:
      return Polygon(p, kStarCorners);
    case kRing:
      return std::fabs(radius - 0.75f) - 0.22f;
    case kDiamond:
      return Polygon(p, kDiamondCorners);
    case kBar:
      return BoxDistance(p, 1.15f, 0.3f);
    case kCrescent:
      return std::max(radius - 1.0f, 0.85f - Length({p.x - 0.5f, p.y}));
    case kHeart:
      return Heart(p);
  }
  return 1e9f;
}

// The largest rotation, in radians, under which a shape remains itself (a turned square would be a diamond).
float LargestRotation(Shape shape) {
  switch (shape) {
    case kSquare:
    case kCross:
      return 0.3f;
    case kTriangle:
    case kDiamond:
      return 0.35f;
    case kStar:
    case kHeart:
      return 0.5f;
    default:
      return std::numbers::pi_v<float>;
  }
}

class ShapeGenerator final : public Generator {
 public:
  explicit ShapeGenerator(ShapeTask task) : task_(task) {}

  std::string_view name() const override { return task_ == ShapeTask::kShapes ? "shapes" : "colors"; }
  std::span<const std::string_view> class_names() const override {
    if (task_ == ShapeTask::kShapes) return kShapeNames;
    return kColorNames;
  }

  GeneratedExample Draw(uint64_t seed, Split split, int64_t index, int side) const override {
    base::RandomStream random(seed, task_ == ShapeTask::kShapes ? "generator/shapes" : "generator/colors",
                              static_cast<uint64_t>(split), static_cast<uint64_t>(index));
    const auto uniform = [&random](double low, double high) { return static_cast<float>(random.Uniform(low, high)); };
    const auto label = static_cast<size_t>(index) % class_names().size();
    size_t shape = random.Below(kShapeNames.size());
    size_t color = random.Below(kColorNames.size());
    (task_ == ShapeTask::kShapes ? shape : color) = label;

    const Color ink = DrawNamedColor(color, random);
    const Color background = DrawBackgroundColor(ink, 0.25f, random);
    const Color accent = DrawBackgroundColor(ink, 0.2f, random);
    Canvas canvas(side);
    PaintBackground(canvas, background, accent, random);
    PaintClutter(canvas, ink, random);

    const float size = uniform(0.5, 0.75);
    const float stretch = uniform(0.88, 1.14);
    const float room = std::max(0.0f, 0.96f - 1.05f * size);
    const float rotation = LargestRotation(static_cast<Shape>(shape));
    // One statement a number: the order in which a call's arguments are evaluated is the compiler's choice.
    const float angle = uniform(-rotation, rotation);
    const float shear = uniform(-0.12, 0.12);
    const Point center{uniform(-room, room), uniform(-room, room)};
    const Affine back = MakeAffine(angle, shear, size * stretch, size / stretch, center).Inverse();
    canvas.Paint(ink, uniform(0.85, 1.0), [&](Point p) {
      const Point q = back.Apply(p);
      // No shape reaches further than 1.2; beyond, far enough for the blending too, the exact distance does not matter.
      const float beyond = Length(q) - 1.2f;
      return size * (size * beyond > 8.0f / static_cast<float>(side) ? beyond : Distance(static_cast<Shape>(shape), q));
    });
    canvas.AddNoise(uniform(0.01, 0.05), random);

    GeneratedExample example;
    example.image = canvas.ToImage();
    example.label = static_cast<int32_t>(label);
    example.shape = kShapeNames[shape];
    example.color = kColorNames[color];
    return example;
  }

 private:
  // A few small dull dots and strokes, beside and behind the shape.
  static void PaintClutter(Canvas& canvas, const Color& ink, base::RandomStream& random) {
    const uint64_t count = random.Below(4);
    for (uint64_t i = 0; i < count; ++i) {
      const Color color = DrawBackgroundColor(ink, 0.25f, random);
      const Point a{static_cast<float>(random.Uniform(-1, 1)), static_cast<float>(random.Uniform(-1, 1))};
      const Point b{a.x + static_cast<float>(random.Uniform(-0.5, 0.5)),
                    a.y + static_cast<float>(random.Uniform(-0.5, 0.5))};
      const auto width = static_cast<float>(random.Uniform(0.05, 0.12));
      canvas.Paint(color, 0.8f, [&](Point p) { return std::sqrt(SquaredDistanceToSegment(p, a, b)) - width; });
    }
  }

  const ShapeTask task_;
};

}  // namespace

std::shared_ptr<const Generator> MakeShapeGenerator(ShapeTask task) {
  return std::make_shared<const ShapeGenerator>(task);
}

}  // namespace modelpatch::data
