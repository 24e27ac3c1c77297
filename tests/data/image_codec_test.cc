#include "core/data/image_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include "core/base/random.h"
#include "tests/data/image_samples.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::EncodeJpeg;
using ::modelpatch::testing::EncodeLosslessWebp;
using ::modelpatch::testing::EncodeLossyWebp;
using ::modelpatch::testing::EncodePngRows;
using ::modelpatch::testing::FailsWith;
using ::modelpatch::testing::GradientImage;
using ::modelpatch::testing::IsOk;
using ::modelpatch::testing::NoiseImage;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// The pixels of `encoded`, or a failure.
RgbImage Decoded(const std::string& encoded) {
  auto image = DecodeImage(encoded);
  EXPECT_THAT(image, IsOk());
  return image.ok() ? *std::move(image) : RgbImage{};
}

int LargestDifference(const RgbImage& a, const RgbImage& b) {
  if (a.pixels.size() != b.pixels.size()) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

std::string Ppm(const std::string& header, const std::vector<uint8_t>& samples) {
  return header + std::string(samples.begin(), samples.end());
}

// An IHDR and the start of an IDAT, with right checksums.
std::string PngHeader(uint32_t width, uint32_t height) {
  std::string file = EncodePngRows({.width = 1, .height = 1}, {1, 2, 3});
  const auto put = [&file](size_t at, uint32_t value) {
    for (int i = 0; i < 4; ++i) file[at + static_cast<size_t>(i)] = static_cast<char>(value >> (24 - 8 * i));
  };
  put(16, width);
  put(20, height);
  uint32_t crc = 0xffffffff;
  for (size_t i = 12; i < 29; ++i) {
    crc ^= static_cast<uint8_t>(file[i]);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  put(29, ~crc);
  return file;
}

std::string LittleEndian(uint32_t value, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

// An animation of one 2 x 2 frame at (2, 0) on a canvas of 6 x 3.
std::string AnimatedWebp(const std::vector<uint8_t>& rgba, uint32_t canvas_width, uint32_t canvas_height = 3) {
  const std::string frame = EncodeLosslessWebp(2, 2, rgba).substr(12);
  const std::string anmf = LittleEndian(1, 3) + LittleEndian(0, 3) + LittleEndian(1, 3) + LittleEndian(1, 3) +
                           LittleEndian(100, 3) + LittleEndian(0, 1) + frame;
  const std::string chunks = "VP8X" + LittleEndian(10, 4) + LittleEndian(0x02, 4) + LittleEndian(canvas_width - 1, 3) +
                             LittleEndian(canvas_height - 1, 3) + "ANIM" + LittleEndian(6, 4) +
                             LittleEndian(0xffffffff, 4) + LittleEndian(0, 2) + "ANMF" +
                             LittleEndian(static_cast<uint32_t>(anmf.size()), 4) + anmf;
  return "RIFF" + LittleEndian(static_cast<uint32_t>(chunks.size() + 4), 4) + "WEBP" + chunks;
}

TEST(ImageCodecTest, PngRoundTripIsExact) {
  const RgbImage image = NoiseImage(37, 11, 1);
  ASSERT_OK_AND_ASSIGN(const std::string encoded, EncodePng(image));
  const RgbImage decoded = Decoded(encoded);
  EXPECT_EQ(decoded.width, 37);
  EXPECT_EQ(decoded.height, 11);
  EXPECT_EQ(decoded.pixels, image.pixels);
}

TEST(ImageCodecTest, EncodePngRefusesPixelsThatDoNotFit) {
  EXPECT_THAT(EncodePng({}), FailsWith(kInvalid, "IMAGE_EMPTY"));
  EXPECT_THAT(EncodePng({2, 2, std::vector<uint8_t>(11)}), FailsWith(kInvalid, "IMAGE_CORRUPT"));
}

TEST(ImageCodecTest, PngDropsAlphaWithoutCompositing) {
  const RgbImage rgba = Decoded(
      EncodePngRows({.width = 2, .height = 1, .colour_type = PNG_COLOR_TYPE_RGBA}, {9, 8, 7, 0, 200, 100, 50, 128}));
  EXPECT_THAT(rgba.pixels, ElementsAre(9, 8, 7, 200, 100, 50));
  const RgbImage grey =
      Decoded(EncodePngRows({.width = 2, .height = 1, .colour_type = PNG_COLOR_TYPE_GRAY_ALPHA}, {9, 0, 200, 128}));
  EXPECT_THAT(grey.pixels, ElementsAre(9, 9, 9, 200, 200, 200));
}

TEST(ImageCodecTest, PngScalesSmallGreysToTheFullRange) {
  const auto grey = [](int bit_depth, uint8_t packed) {
    return Decoded(
        EncodePngRows({.width = 2, .height = 1, .bit_depth = bit_depth, .colour_type = PNG_COLOR_TYPE_GRAY}, {packed}));
  };
  EXPECT_THAT(grey(1, 0b01000000).pixels, ElementsAre(0, 0, 0, 255, 255, 255));
  EXPECT_THAT(grey(2, 0b01100000).pixels, ElementsAre(85, 85, 85, 170, 170, 170));
  EXPECT_THAT(grey(4, 0x3c).pixels, ElementsAre(51, 51, 51, 204, 204, 204));
}

TEST(ImageCodecTest, PngKeepsTheHighByteOfColoursAndClipsGreysOf16Bits) {
  const RgbImage rgb =
      Decoded(EncodePngRows({.width = 1, .height = 1, .bit_depth = 16, .colour_type = PNG_COLOR_TYPE_RGB},
                            {0x12, 0xff, 0x80, 0x00, 0xff, 0x01}));
  EXPECT_THAT(rgb.pixels, ElementsAre(0x12, 0x80, 0xff));
  const RgbImage rgba = Decoded(EncodePngRows(
      {.width = 1, .height = 1, .bit_depth = 16, .colour_type = PNG_COLOR_TYPE_RGBA}, {1, 255, 2, 255, 3, 255, 0, 0}));
  EXPECT_THAT(rgba.pixels, ElementsAre(1, 2, 3));
  const RgbImage grey_alpha = Decoded(EncodePngRows(
      {.width = 1, .height = 1, .bit_depth = 16, .colour_type = PNG_COLOR_TYPE_GRAY_ALPHA}, {77, 255, 0, 0}));
  EXPECT_THAT(grey_alpha.pixels, ElementsAre(77, 77, 77));
  const RgbImage grey =
      Decoded(EncodePngRows({.width = 3, .height = 2, .bit_depth = 16, .colour_type = PNG_COLOR_TYPE_GRAY},
                            {0, 7, 0, 255, 1, 0, 0, 0, 0xff, 0xff, 0, 130}));
  EXPECT_THAT(grey.pixels, ElementsAre(7, 7, 7, 255, 255, 255, 255, 255, 255, 0, 0, 0, 255, 255, 255, 130, 130, 130));
}

TEST(ImageCodecTest, PngLooksUpPalettesAndIgnoresTheirTransparency) {
  const RgbImage image = Decoded(EncodePngRows({.width = 4,
                                                .height = 1,
                                                .bit_depth = 2,
                                                .colour_type = PNG_COLOR_TYPE_PALETTE,
                                                .palette = {1, 2, 3, 40, 50, 60, 255, 0, 9, 7, 7, 7},
                                                .transparency = {0, 128}},
                                               {0b00011011}));
  EXPECT_THAT(image.pixels, ElementsAre(1, 2, 3, 40, 50, 60, 255, 0, 9, 7, 7, 7));
}

TEST(ImageCodecTest, InterlacedPngsHaveThePixelsOfPlainOnes) {
  for (const int colour_type : {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGBA}) {
    for (const int bit_depth : {8, 16}) {
      const int channels = colour_type == PNG_COLOR_TYPE_GRAY ? 1 : colour_type == PNG_COLOR_TYPE_RGB ? 3 : 4;
      std::vector<uint8_t> rows = NoiseImage(13 * channels * bit_depth / 8, 9, 2).pixels;
      rows.resize(rows.size() / 3);
      // Half of the 16-bit values below 256, so that clipping does not hide the rest.
      for (size_t i = 0; bit_depth == 16 && i < rows.size(); i += 4) rows[i] = 0;
      testing::PngOptions options{.width = 13, .height = 9, .bit_depth = bit_depth, .colour_type = colour_type};
      const RgbImage plain = Decoded(EncodePngRows(options, rows));
      options.interlaced = true;
      EXPECT_EQ(Decoded(EncodePngRows(options, rows)).pixels, plain.pixels) << colour_type << " at " << bit_depth;
    }
  }
}

TEST(ImageCodecTest, JpegsOfEveryKindComeBackCloseToWhatWasEncoded) {
  const RgbImage image = GradientImage(60, 41);
  EXPECT_LE(LargestDifference(Decoded(EncodeJpeg(image)), image), 12);
  EXPECT_LE(LargestDifference(Decoded(EncodeJpeg(image, {.progressive = true})), image), 12);
  EXPECT_LE(LargestDifference(Decoded(EncodeJpeg(image, {.channels = 4})), image), 12);
  RgbImage grey = image;
  for (size_t i = 0; i < grey.pixels.size(); ++i) grey.pixels[i] = image.pixels[i - i % 3];
  EXPECT_LE(LargestDifference(Decoded(EncodeJpeg(image, {.channels = 1})), grey), 12);
}

TEST(ImageCodecTest, WebpDropsAlphaAndReadsTheFirstFrame) {
  const std::vector<uint8_t> rgba = {1, 2, 3, 255, 4, 5, 6, 128, 7, 8, 9, 255, 10, 11, 12, 200};
  const std::vector<uint8_t> rgb = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  EXPECT_EQ(Decoded(EncodeLosslessWebp(2, 2, rgba)).pixels, rgb);

  const RgbImage canvas = Decoded(AnimatedWebp(rgba, 6));
  EXPECT_EQ(canvas.width, 6);
  EXPECT_EQ(canvas.height, 3);
  std::vector<uint8_t> expected(6 * 3 * 3);
  std::copy(rgb.begin(), rgb.begin() + 6, expected.begin() + 6);
  std::copy(rgb.begin() + 6, rgb.end(), expected.begin() + 18 + 6);
  EXPECT_EQ(canvas.pixels, expected);
  EXPECT_THAT(DecodeImage(AnimatedWebp(rgba, 3)), FailsWith(kInvalid, "IMAGE_CORRUPT"));
}

TEST(ImageCodecTest, LossyWebpComesBackClose) {
  const RgbImage image = GradientImage(40, 32);
  EXPECT_LE(LargestDifference(Decoded(EncodeLossyWebp(image)), image), 20);
}

TEST(ImageCodecTest, PpmReadsColourGreyCommentsAndScales) {
  EXPECT_THAT(Decoded(Ppm("P6\n2 1\n255\n", {1, 2, 3, 10, 13, 35})).pixels, ElementsAre(1, 2, 3, 10, 13, 35));
  const RgbImage grey = Decoded(Ppm("P5 # a comment\n# 9 9\n1\t2\r\n# more\n100 ", {0, 50}));
  EXPECT_EQ(grey.width, 1);
  EXPECT_EQ(grey.height, 2);
  // 50 / 100 · 255 = 127.5 goes to the even neighbour.
  EXPECT_THAT(grey.pixels, ElementsAre(0, 0, 0, 128, 128, 128));
  EXPECT_THAT(Decoded(Ppm("P5 1 1 100 ", {200})).pixels, ElementsAre(255, 255, 255));
}

TEST(ImageCodecTest, PpmNamesWhatIsWrongWithItsHeader) {
  EXPECT_THAT(DecodeImage(Ppm("P6\n-2 1\n255\n", {1})), FailsWith(kInvalid, "IMAGE_CORRUPT"));
  EXPECT_THAT(DecodeImage("P6 99999999999999999999 1 255 "), FailsWith(kInvalid, "IMAGE_CORRUPT"));
  EXPECT_THAT(DecodeImage("P6 1 1 0 abc"), FailsWith(kInvalid, "IMAGE_CORRUPT"));
  EXPECT_THAT(DecodeImage("P6 0 1 255 abc"), FailsWith(kInvalid, "IMAGE_EMPTY"));
  EXPECT_THAT(DecodeImage("P6 1 1 65535 abcdef"), FailsWith(kInvalid, "IMAGE_UNSUPPORTED"));
  EXPECT_THAT(DecodeImage("P3 1 1 255 1 2 3 "), FailsWith(kInvalid, "IMAGE_UNSUPPORTED"));
  EXPECT_THAT(DecodeImage("P6 1 # no end"), FailsWith(kInvalid, "IMAGE_TRUNCATED"));
}

TEST(ImageCodecTest, WhatIsNoImageIsRefusedByName) {
  EXPECT_THAT(DecodeImage(""), FailsWith(kInvalid, "IMAGE_EMPTY"));
  EXPECT_THAT(DecodeImage(std::string(1000, '\0')), FailsWith(kInvalid, "IMAGE_UNKNOWN_FORMAT"));
  EXPECT_THAT(DecodeImage("8BPS..."), FailsWith(kInvalid, "IMAGE_UNKNOWN_FORMAT"));
  EXPECT_THAT(DecodeImage("\xff\xd8"), FailsWith(kInvalid, "IMAGE_TRUNCATED"));
  EXPECT_THAT(std::string(DecodeImage("hello\n").status().message()),
              AllOf(HasSubstr("hello"), HasSubstr("JPEG, PNG")));
}

TEST(ImageCodecTest, HugeHeadersAreRefusedBeforeAnythingIsAllocated) {
  // Were they allocated, 10 GB would be written to.
  EXPECT_THAT(DecodeImage(PngHeader(60000, 60000)), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
  EXPECT_THAT(DecodeImage(PngHeader(0x7fffffff, 0x7fffffff)), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
  EXPECT_THAT(DecodeImage("P6 60000 60000 255 abc"), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
  EXPECT_THAT(DecodeImage("P6 9999999999 9999999999 255 abc"), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
  std::string jpeg = EncodeJpeg(GradientImage(8, 8));
  const size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xea\x60\xea\x60");  // 60000 x 60000
  EXPECT_THAT(DecodeImage(jpeg), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
  jpeg.replace(frame + 5, 4, "\xff\xff\xff\xff");
  EXPECT_THAT(DecodeImage(jpeg), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
  EXPECT_THAT(DecodeImage(AnimatedWebp(std::vector<uint8_t>(16), 1 << 24, 1 << 7)),
              FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
}

TEST(ImageCodecTest, TheLimitOnPixelsIsInclusive) {
  ASSERT_OK_AND_ASSIGN(const std::string encoded, EncodePng(NoiseImage(10, 10, 3)));
  EXPECT_OK(DecodeImage(encoded, {.maximum_pixels = 100}));
  EXPECT_THAT(DecodeImage(encoded, {.maximum_pixels = 99}), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
}

TEST(ImageCodecTest, ScansOfProgressiveJpegsAreLimited) {
  const std::string encoded = EncodeJpeg(GradientImage(32, 32), {.progressive = true});
  EXPECT_OK(DecodeImage(encoded));
  EXPECT_THAT(DecodeImage(encoded, {.maximum_jpeg_scans = 3}), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
}

struct Sample {
  std::string name;
  std::string encoded;
};

std::vector<Sample> Samples() {
  const RgbImage image = NoiseImage(24, 19, 4);
  std::vector<uint8_t> rgba;
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    rgba.insert(rgba.end(), {image.pixels[i], image.pixels[i + 1], image.pixels[i + 2], 255});
  }
  return {{"jpeg", EncodeJpeg(image)},
          {"progressive", EncodeJpeg(image, {.progressive = true})},
          {"grey", EncodeJpeg(image, {.channels = 1})},
          {"cmyk", EncodeJpeg(image, {.channels = 4})},
          {"png", EncodePngRows({.width = 24, .height = 19}, image.pixels)},
          {"adam7", EncodePngRows({.width = 24, .height = 19, .interlaced = true}, image.pixels)},
          {"lossless webp", EncodeLosslessWebp(24, 19, rgba)},
          {"lossy webp", EncodeLossyWebp(image)},
          {"animated webp", AnimatedWebp(std::vector<uint8_t>(16, 5), 6)},
          {"ppm", Ppm("P6 24 19 255\n", image.pixels)}};
}

// Like Pillow, the decoder does not miss what comes after the last pixel: the PNG's checksum and end mark.
TEST(ImageCodecTest, TruncatedFilesAreRefusedAtEveryLength) {
  for (const auto& [name, encoded] : Samples()) {
    EXPECT_OK(DecodeImage(encoded)) << name;
    const size_t trailer = name == "png" || name == "adam7" ? 12 + 4 + 6 : name == "jpeg" || name == "grey" ? 2 : 0;
    for (size_t length = 0; length + trailer < encoded.size(); ++length) {
      const auto image = DecodeImage(encoded.substr(0, length));
      ASSERT_FALSE(image.ok()) << name << " cut to " << length << " of " << encoded.size();
      ASSERT_EQ(image.status().code(), kInvalid) << name << " cut to " << length << ": " << image.status();
      ASSERT_THAT(base::ReasonOf(image.status()), ::testing::StartsWith("IMAGE_"));
    }
    if (name != "png" && name != "adam7") {
      EXPECT_THAT(DecodeImage(encoded.substr(0, encoded.size() * 2 / 3)), FailsWith(kInvalid, "IMAGE_TRUNCATED"))
          << name;
    }
  }
}

// Whatever is damaged, there is an image of the allowed size or an error: no crash, no leak (with AddressSanitizer).
TEST(ImageCodecTest, DamagedFilesAreAnImageOrAnError) {
  for (const auto& [name, encoded] : Samples()) {
    for (uint64_t trial = 0; trial < 300; ++trial) {
      base::RandomStream random(5, name, trial);
      std::string damaged = encoded;
      for (uint64_t count = 1 + random.Below(4); count > 0; --count) {
        // Headers are worth more than pixels.
        const uint64_t range = random.Below(2) == 0 ? std::min<uint64_t>(damaged.size(), 64) : damaged.size();
        damaged[random.Below(range)] = static_cast<char>(random.Below(256));
      }
      const auto image = DecodeImage(damaged, {.maximum_pixels = 1 << 20});
      if (image.ok()) {
        ASSERT_EQ(image->pixels.size(), static_cast<size_t>(image->width) * static_cast<size_t>(image->height) * 3);
        ASSERT_LE(image->pixels.size(), size_t{3} << 20);
      } else {
        ASSERT_EQ(image.status().code(), kInvalid) << name << ": " << image.status();
      }
    }
  }
}

}  // namespace
}  // namespace modelpatch::data
