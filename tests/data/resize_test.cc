#include "core/data/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/base/random.h"
#include "tests/data/image_samples.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::NoiseImage;

// One pixel of one pass, straight from the definition: the sum over all inputs, in int64.
uint8_t Resampled(int input_size, int64_t output_size, int64_t output, ResizeFilter filter, const auto& input_at) {
  const double scale = static_cast<double>(input_size) / static_cast<double>(output_size);
  const double stretch = std::max(scale, 1.0);
  const double center = (static_cast<double>(output) + 0.5) * scale;
  const double support = filter == ResizeFilter::kBicubic ? 2.0 * stretch : stretch;
  const int begin = std::max(static_cast<int>(center - support + 0.5), 0);
  const int end = std::min(static_cast<int>(center + support + 0.5), input_size);
  const auto kernel = [&](int i) {
    const double x = std::abs((i - center + 0.5) * (1.0 / stretch));
    if (filter == ResizeFilter::kBilinear) return x < 1 ? 1 - x : 0.0;
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

RgbImage SlowResize(const RgbImage& image, int width, int height, ResizeFilter filter) {
  const auto at = [](const RgbImage& from, int x, int y, int c) {
    return from.pixels[(static_cast<size_t>(y) * static_cast<size_t>(from.width) + static_cast<size_t>(x)) * 3 +
                       static_cast<size_t>(c)];
  };
  RgbImage narrowed{width, image.height, {}};
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) {
        narrowed.pixels.push_back(
            width == image.width ? at(image, x, y, c)
                                 : Resampled(image.width, width, x, filter, [&](int i) { return at(image, i, y, c); }));
      }
  RgbImage result{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) {
        result.pixels.push_back(height == image.height ? at(narrowed, x, y, c)
                                                       : Resampled(image.height, height, y, filter,
                                                                   [&](int i) { return at(narrowed, x, i, c); }));
      }
  return result;
}

RgbImage Cut(const RgbImage& image, const Box& box) {
  RgbImage result{static_cast<int>(box.width), static_cast<int>(box.height), {}};
  for (int64_t y = box.top; y < box.top + box.height; ++y) {
    const auto first = image.pixels.begin() + (y * image.width + box.left) * 3;
    result.pixels.insert(result.pixels.end(), first, first + box.width * 3);
  }
  return result;
}

class ResizeTest : public ::testing::TestWithParam<ResizeFilter> {};

INSTANTIATE_TEST_SUITE_P(Filters, ResizeTest, ::testing::Values(ResizeFilter::kBicubic, ResizeFilter::kBilinear),
                         [](const auto& info) {
                           return info.param == ResizeFilter::kBicubic ? "Bicubic" : "Bilinear";
                         });

TEST_P(ResizeTest, TheSameSizeIsTheIdentity) {
  const RgbImage image = NoiseImage(31, 17, 1);
  EXPECT_EQ(Resize(image, {17, 31}, GetParam()).pixels, image.pixels);
}

TEST_P(ResizeTest, AConstantImageStaysConstant) {
  for (const uint8_t value : {0, 1, 127, 254, 255}) {
    for (const ImageSize size : {ImageSize{50, 3}, {40, 40}, {1, 13}, {7, 200}}) {
      const RgbImage image{29, 23, std::vector<uint8_t>(29 * 23 * 3, value)};
      const RgbImage resized = Resize(image, size, GetParam());
      EXPECT_EQ(resized.pixels, std::vector<uint8_t>(static_cast<size_t>(size.pixels()) * 3, value));
    }
  }
}

TEST_P(ResizeTest, EqualsTheDefinitionAtRandomSizes) {
  for (uint64_t trial = 0; trial < 150; ++trial) {
    base::RandomStream random(7, "resize sizes", trial);
    const auto side = [&random] { return 1 + static_cast<int>(random.Below(random.Below(4) == 0 ? 150 : 40)); };
    const int from_width = side(), from_height = side();
    const int width = random.Below(6) == 0 ? from_width : side();
    const int height = random.Below(6) == 0 ? from_height : side();
    const RgbImage image = NoiseImage(from_width, from_height, trial);
    const RgbImage resized = Resize(image, {height, width}, GetParam());
    ASSERT_EQ(resized.width, width);
    ASSERT_EQ(resized.height, height);
    ASSERT_EQ(resized.pixels, SlowResize(image, width, height, GetParam()).pixels)
        << from_width << " x " << from_height << " to " << width << " x " << height;
  }
}

// Overshoot on hard edges must clip, in both passes.
TEST_P(ResizeTest, ClipsOvershootAtEdges) {
  RgbImage image{16, 16, std::vector<uint8_t>(16 * 16 * 3)};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = (i / 24) % 2 == (i / 384) % 2 ? 255 : 0;
  EXPECT_EQ(Resize(image, {41, 37}, GetParam()).pixels, SlowResize(image, 37, 41, GetParam()).pixels);
  EXPECT_EQ(Resize(image, {9, 11}, GetParam()).pixels, SlowResize(image, 11, 9, GetParam()).pixels);
}

TEST_P(ResizeTest, TheCropIsThatOfTheWholeResize) {
  const RgbImage image = NoiseImage(53, 71, 4);
  for (const ImageSize size : {ImageSize{30, 40}, {71, 20}, {100, 53}, {90, 130}}) {
    const RgbImage whole = SlowResize(image, static_cast<int>(size.width), static_cast<int>(size.height), GetParam());
    for (const Box& box : {Box{0, 0, 20, 30}, {size.width - 7, size.height - 9, 7, 9}, {5, 3, 1, 1}}) {
      EXPECT_EQ(ResizeThenCrop(image, size, box, GetParam()).pixels, Cut(whole, box).pixels) << Describe(size);
    }
  }
}

TEST_P(ResizeTest, CropThenResizeSeesNothingOutsideTheBox) {
  const RgbImage image = NoiseImage(50, 40, 11);
  for (const Box& box : {Box{0, 0, 50, 40}, {10, 5, 30, 20}, {49, 39, 1, 1}, {3, 0, 20, 40}, {18, 8, 32, 32}}) {
    const RgbImage resized = CropThenResize(image, box, {20, 24}, GetParam());
    EXPECT_EQ(resized.pixels, SlowResize(Cut(image, box), 24, 20, GetParam()).pixels) << box.left << ", " << box.top;
  }
}

}  // namespace
}  // namespace modelpatch::data
