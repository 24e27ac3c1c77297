#include "core/data/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/base/random.h"
#include "tests/data/image_samples.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::NoiseImage;

// One pixel of one pass, straight from the definition: the sum over all inputs, in int64.
uint8_t Resampled(int input_size, int64_t output_size, int64_t output, const auto& input_at) {
  const double scale = static_cast<double>(input_size) / static_cast<double>(output_size);
  const double stretch = std::max(scale, 1.0);
  const double center = (static_cast<double>(output) + 0.5) * scale;
  const int begin = std::max(static_cast<int>(center - 2.0 * stretch + 0.5), 0);
  const int end = std::min(static_cast<int>(center + 2.0 * stretch + 0.5), input_size);
  const auto kernel = [&](int i) {
    const double x = std::abs((i - center + 0.5) * (1.0 / stretch));
    return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0.0;
  };
  double sum = 0;
  for (int i = begin; i < end; ++i) sum += kernel(i);
  int64_t total = int64_t{1} << 21;
  for (int i = begin; i < end; ++i) {
    const double weight = kernel(i) / sum * (1 << 22);
    total += static_cast<int64_t>(weight < 0 ? weight - 0.5 : weight + 0.5) * input_at(i);
  }
  return static_cast<uint8_t>(std::clamp<int64_t>(total >> 22, 0, 255));
}

RgbImage SlowResize(const RgbImage& image, int width, int height) {
  const auto at = [](const RgbImage& from, int x, int y, int c) {
    return from.pixels[(static_cast<size_t>(y) * static_cast<size_t>(from.width) + static_cast<size_t>(x)) * 3 +
                       static_cast<size_t>(c)];
  };
  RgbImage narrowed{width, image.height, {}};
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) {
        narrowed.pixels.push_back(width == image.width
                                      ? at(image, x, y, c)
                                      : Resampled(image.width, width, x, [&](int i) { return at(image, i, y, c); }));
      }
  RgbImage result{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) {
        result.pixels.push_back(height == image.height
                                    ? at(narrowed, x, y, c)
                                    : Resampled(image.height, height, y, [&](int i) { return at(narrowed, x, i, c); }));
      }
  return result;
}

RgbImage Cut(const RgbImage& image, const Box& box) {
  RgbImage result{box.width, box.height, {}};
  for (int y = box.top; y < box.top + box.height; ++y) {
    const auto first = image.pixels.begin() + (y * image.width + box.left) * 3;
    result.pixels.insert(result.pixels.end(), first, first + box.width * 3);
  }
  return result;
}

TEST(ResizeTest, TheSameSizeIsTheIdentity) {
  const RgbImage image = NoiseImage(31, 17, 1);
  EXPECT_EQ(ResizeBicubic(image, 31, 17).pixels, image.pixels);
}

TEST(ResizeTest, AConstantImageStaysConstant) {
  for (const uint8_t value : {0, 1, 127, 254, 255}) {
    for (const auto& [width, height] : {std::array{3, 50}, {40, 40}, {13, 1}, {200, 7}}) {
      const RgbImage image{29, 23, std::vector<uint8_t>(29 * 23 * 3, value)};
      const RgbImage resized = ResizeBicubic(image, width, height);
      EXPECT_EQ(resized.pixels, std::vector<uint8_t>(static_cast<size_t>(width * height) * 3, value));
    }
  }
}

TEST(ResizeTest, EqualsTheDefinitionAtRandomSizes) {
  for (uint64_t trial = 0; trial < 150; ++trial) {
    base::RandomStream random(7, "resize sizes", trial);
    const auto side = [&random] { return 1 + static_cast<int>(random.Below(random.Below(4) == 0 ? 150 : 40)); };
    const int from_width = side(), from_height = side();
    const int width = random.Below(6) == 0 ? from_width : side();
    const int height = random.Below(6) == 0 ? from_height : side();
    const RgbImage image = NoiseImage(from_width, from_height, trial);
    const RgbImage resized = ResizeBicubic(image, width, height);
    ASSERT_EQ(resized.width, width);
    ASSERT_EQ(resized.height, height);
    ASSERT_EQ(resized.pixels, SlowResize(image, width, height).pixels)
        << from_width << " x " << from_height << " to " << width << " x " << height;
  }
}

// Overshoot on hard edges must clip, in both passes.
TEST(ResizeTest, ClipsOvershootAtEdges) {
  RgbImage image{16, 16, std::vector<uint8_t>(16 * 16 * 3)};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = (i / 24) % 2 == (i / 384) % 2 ? 255 : 0;
  EXPECT_EQ(ResizeBicubic(image, 37, 41).pixels, SlowResize(image, 37, 41).pixels);
  EXPECT_EQ(ResizeBicubic(image, 11, 9).pixels, SlowResize(image, 11, 9).pixels);
}

TEST(ResizeTest, ShorterSideAndCropIsTheCentreOfTheWholeResize) {
  struct Case {
    int width, height, resized_width, resized_height, left, top;
  };
  // Sizes and offsets as torchvision has them: the longer side truncated, a half offset to the even neighbour.
  for (const Case& c : {Case{211, 180, 37, 32, 2, 0},
                        {101, 303, 32, 96, 0, 32},
                        {5, 7, 32, 44, 0, 6},
                        {400, 21, 609, 32, 288, 0},
                        {13, 350, 32, 861, 0, 414},
                        {33, 32, 33, 32, 0, 0},
                        {32, 35, 32, 35, 0, 2},
                        {97, 89, 34, 32, 1, 0},
                        {1, 1, 32, 32, 0, 0}}) {
    const RgbImage image = NoiseImage(c.width, c.height, 9);
    const RgbImage whole = SlowResize(image, c.resized_width, c.resized_height);
    const RgbImage cropped = ResizeShorterSideAndCrop(image, 32);
    ASSERT_EQ(cropped.width, 32);
    ASSERT_EQ(cropped.height, 32);
    EXPECT_EQ(cropped.pixels, Cut(whole, {c.left, c.top, 32, 32}).pixels) << c.width << " x " << c.height;
  }
}

// The whole resize of this strip would have 224 x 224 million pixels.
TEST(ResizeTest, ExtremeStripsCostNoMoreThanTheirCrop) {
  const RgbImage image{1, 1'000'000, std::vector<uint8_t>(3'000'000, 99)};
  EXPECT_EQ(ResizeShorterSideAndCrop(image, 224).pixels, std::vector<uint8_t>(224 * 224 * 3, 99));
  const RgbImage wide{1'000'000, 1, image.pixels};
  EXPECT_EQ(ResizeShorterSideAndCrop(wide, 224).pixels, std::vector<uint8_t>(224 * 224 * 3, 99));
}

TEST(ResizeTest, CropAndResizeSeesNothingOutsideTheBox) {
  const RgbImage image = NoiseImage(50, 40, 11);
  for (const Box& box : {Box{0, 0, 50, 40}, {10, 5, 30, 20}, {49, 39, 1, 1}, {3, 0, 20, 40}, {18, 8, 32, 32}}) {
    const RgbImage resized = CropAndResize(image, box, 20);
    EXPECT_EQ(resized.pixels, SlowResize(Cut(image, box), 20, 20).pixels) << box.left << ", " << box.top;
  }
}

}  // namespace
}  // namespace modelpatch::data
