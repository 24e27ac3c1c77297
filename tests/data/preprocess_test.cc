#include "core/data/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/data/image_samples.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;
using ::modelpatch::testing::NoiseImage;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// The pixels of `image` around `offset`, after a resize of the whole to `resized`; `fill` where there are none.
RgbImage Expected(const RgbImage& image, ImageSize resized, ImageSize offset, ImageSize size, ResizeFilter filter,
                  uint8_t fill = 0) {
  const RgbImage whole = Resize(image, resized, filter);
  RgbImage result{static_cast<int>(size.width), static_cast<int>(size.height), {}};
  for (int64_t y = 0; y < size.height; ++y) {
    for (int64_t x = 0; x < size.width; ++x) {
      const int64_t from_y = y + offset.height, from_x = x + offset.width;
      const bool inside = from_y >= 0 && from_y < resized.height && from_x >= 0 && from_x < resized.width;
      for (int64_t c = 0; c < 3; ++c) {
        result.pixels.push_back(inside ? whole.pixels[static_cast<size_t>((from_y * resized.width + from_x) * 3 + c)]
                                       : fill);
      }
    }
  }
  return result;
}

// Sizes and offsets as torchvision has them: the longer side truncated, a half offset to the even neighbour.
TEST(PreprocessTest, TheShortestSideDecidesAndTheCentreStays) {
  struct Case {
    int width, height;
    ImageSize resized, offset;
  };
  for (const Case& c : {Case{211, 180, {32, 37}, {0, 2}},
                        {101, 303, {96, 32}, {32, 0}},
                        {5, 7, {44, 32}, {6, 0}},
                        {400, 21, {32, 609}, {0, 288}},
                        {13, 350, {861, 32}, {414, 0}},
                        {33, 32, {32, 33}, {0, 0}},
                        {32, 35, {35, 32}, {2, 0}},
                        {97, 89, {32, 34}, {0, 1}},
                        {1, 1, {32, 32}, {0, 0}}}) {
    const RgbImage image = NoiseImage(c.width, c.height, 9);
    for (const ResizeFilter filter : {ResizeFilter::kBicubic, ResizeFilter::kBilinear}) {
      const RgbImage result = ResizeForModel(image, {.image_size = 32, .filter = filter});
      ASSERT_EQ(result.width, 32);
      ASSERT_EQ(result.height, 32);
      EXPECT_EQ(result.pixels, Expected(image, c.resized, c.offset, 32, filter).pixels) << c.width << " x " << c.height;
    }
  }
}

// 90 x 70 against 40 x 64: min(70 / 40, 90 / 64) = 1.40625, 70 / 1.40625 = 49.8.
TEST(PreprocessTest, TheImageCoversASizeThatIsNoSquare) {
  const RgbImage image = NoiseImage(90, 70, 3);
  const RgbImage result = ResizeForModel(image, {.image_size = {40, 64}});
  EXPECT_EQ(result.width, 64);
  EXPECT_EQ(result.height, 40);
  EXPECT_EQ(result.pixels, Expected(image, {50, 64}, {5, 0}, {40, 64}, ResizeFilter::kBicubic).pixels);
}

TEST(PreprocessTest, ACropMayBeSmallerThanTheResize) {
  const RgbImage image = NoiseImage(90, 70, 3);
  EXPECT_EQ(ResizeForModel(image, {.image_size = 48, .resize_size = 60}).pixels,
            Expected(image, {60, 77}, {6, 14}, 48, ResizeFilter::kBicubic).pixels);
  EXPECT_EQ(ResizeForModel(image, {.image_size = 48, .resize_mode = ResizeMode::kSquash, .resize_size = 61}).pixels,
            Expected(image, 61, {6, 6}, 48, ResizeFilter::kBicubic).pixels);
}

TEST(PreprocessTest, SquashingIgnoresTheRatio) {
  const RgbImage image = NoiseImage(90, 70, 3);
  for (const ImageSize size : {ImageSize{48}, {33, 20}}) {
    EXPECT_EQ(ResizeForModel(image, {.image_size = size, .resize_mode = ResizeMode::kSquash}).pixels,
              Resize(image, size, ResizeFilter::kBicubic).pixels);
  }
}

// Half sizes go to the even neighbour, 2.5 to 2 and 3.5 to 4; of an odd margin the smaller part comes first.
TEST(PreprocessTest, TheLongestSideFitsAndTheRestHasTheFillColor) {
  const auto fitted = [](const RgbImage& image, ImageSize size) {
    return ResizeForModel(
        image,
        {.image_size = size, .resize_mode = ResizeMode::kLongest, .filter = ResizeFilter::kBilinear, .fill_color = 77});
  };
  struct Case {
    int width, height;
    ImageSize size, resized, offset;
  };
  for (const Case& c : {Case{90, 70, 48, {37, 48}, {-5, 0}},
                        {40, 10, 10, {2, 10}, {-4, 0}},
                        {14, 40, 10, {10, 4}, {0, -3}},
                        {30, 30, {20, 50}, {20, 20}, {0, -15}},
                        {5, 5, 16, {16, 16}, {0, 0}}}) {
    const RgbImage image = NoiseImage(c.width, c.height, 5);
    EXPECT_EQ(fitted(image, c.size).pixels,
              Expected(image, c.resized, c.offset, c.size, ResizeFilter::kBilinear, 77).pixels)
        << c.width << " x " << c.height;
  }
  const RgbImage thread = fitted(NoiseImage(1, 1000, 1), 8);
  EXPECT_EQ(thread.pixels.size(), 8u * 8 * 3) << "a side that would vanish keeps a pixel";
  EXPECT_EQ(thread.pixels[0], 77);
}

// The whole resize of this strip would have 224 x 224 million pixels.
TEST(PreprocessTest, ExtremeStripsCostNoMoreThanTheirCrop) {
  const RgbImage image{1, 1'000'000, std::vector<uint8_t>(3'000'000, 99)};
  EXPECT_EQ(ResizeForModel(image, {}).pixels, std::vector<uint8_t>(224 * 224 * 3, 99));
  const RgbImage wide{1'000'000, 1, image.pixels};
  EXPECT_EQ(ResizeForModel(wide, {}).pixels, std::vector<uint8_t>(224 * 224 * 3, 99));
  EXPECT_EQ(ResizeForModel(wide, {.image_size = {224, 100}}).pixels, std::vector<uint8_t>(224 * 100 * 3, 99));
}

TEST(PreprocessTest, NormalizesToPlanes) {
  const PreprocessConfig config{.image_size = 2, .mean = {0.5f, 0.0f, 1.0f}, .std = {0.5f, 1.0f, 2.0f}};
  const std::vector<uint8_t> pixels = {0, 255, 255, 255, 0, 0, 51, 51, 51, 0, 0, 0};
  std::vector<float> planes(12);
  NormalizeToPlanar(pixels.data(), config, planes.data());
  const float fifth = 51.0f / 255.0f;
  EXPECT_THAT(planes, ::testing::ElementsAre(-1.0f, 1.0f, (fifth - 0.5f) / 0.5f, -1.0f,  //
                                             1.0f, 0.0f, fifth, 0.0f,                    //
                                             0.0f, -0.5f, (fifth - 1.0f) / 2.0f, -0.5f));
}

TEST(PreprocessTest, DecodesThenResizesAndCrops) {
  const RgbImage image = NoiseImage(90, 70, 3);
  ASSERT_OK_AND_ASSIGN(const std::string encoded, EncodePng(image));
  ASSERT_OK_AND_ASSIGN(const RgbImage pixels, PreprocessToPixels(encoded, {.image_size = 48}));
  EXPECT_EQ(pixels.width, 48);
  EXPECT_EQ(pixels.pixels, ResizeForModel(image, {.image_size = 48}).pixels);
  EXPECT_THAT(PreprocessToPixels("no image", {}), FailsWith(kInvalid, "IMAGE_UNKNOWN_FORMAT"));
  EXPECT_THAT(PreprocessToPixels(encoded, {}, {.maximum_pixels = 10}), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
}

}  // namespace
}  // namespace modelpatch::data
