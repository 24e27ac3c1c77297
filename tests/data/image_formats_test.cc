// BMP, GIF and TIFF, on files made by hand; pillow_test.py compares many more with Pillow.
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/data/image_codec.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;
using ::testing::AnyOf;
using ::testing::ElementsAre;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::string LittleEndian(uint32_t value, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string Bmp(int32_t width, int32_t height, int bits, uint32_t compression, const std::string& rest,
                uint32_t colors = 0) {
  const uint32_t offset = 54 + 4 * colors;
  return absl::StrCat("BM", LittleEndian(0, 8), LittleEndian(offset, 4), LittleEndian(40, 4),
                      LittleEndian(static_cast<uint32_t>(width), 4), LittleEndian(static_cast<uint32_t>(height), 4),
                      LittleEndian(1, 2), LittleEndian(static_cast<uint32_t>(bits), 2), LittleEndian(compression, 4),
                      LittleEndian(0, 12), LittleEndian(colors, 4), LittleEndian(0, 4), rest);
}

// Blue, green, red, nothing: four colours.
const std::string kFourColors("\x0a\x0b\x0c\0\x14\x15\x16\0\x1e\x1f\x20\0\x28\x29\x2a\0", 16);

TEST(BmpTest, RowsComeFromTheBottomAndColoursFromTheRight) {
  const std::string rows("\1\2\3\0\4\5\6\0", 8);
  ASSERT_OK_AND_ASSIGN(const RgbImage up, DecodeImage(Bmp(1, 2, 24, 0, rows)));
  EXPECT_EQ(up.height, 2);
  EXPECT_THAT(up.pixels, ElementsAre(6, 5, 4, 3, 2, 1));
  ASSERT_OK_AND_ASSIGN(const RgbImage down, DecodeImage(Bmp(1, -2, 24, 0, rows)));
  EXPECT_THAT(down.pixels, ElementsAre(3, 2, 1, 6, 5, 4));
}

TEST(BmpTest, RunsMovesAndLiteralIndices) {
  // Two of colour 1; three literal indices, padded; the next row; past one pixel; the end.
  const std::string runs("\2\1\0\3\3\0\2\0\0\0\0\2\1\0\1\3\0\1", 18);
  ASSERT_OK_AND_ASSIGN(const RgbImage image, DecodeImage(Bmp(5, 2, 8, 1, kFourColors + runs, 4)));
  std::vector<int> reds;
  for (size_t i = 0; i < image.pixels.size(); i += 3) reds.push_back(image.pixels[i]);
  EXPECT_THAT(reds, ElementsAre(12, 42, 12, 12, 12, 22, 22, 42, 12, 32));
}

TEST(BmpTest, RefusesWhatIsCutOddOrTooLarge) {
  const std::string whole = Bmp(2, 2, 24, 0, std::string(16, '\7'));
  EXPECT_OK(DecodeImage(whole));
  for (size_t size = 2; size < whole.size() - 2; ++size) {
    EXPECT_THAT(DecodeImage(whole.substr(0, size)), FailsWith(kInvalid, "IMAGE_TRUNCATED")) << size;
  }
  EXPECT_THAT(DecodeImage(Bmp(1 << 30, 1 << 30, 24, 0, "")), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
  EXPECT_THAT(DecodeImage(Bmp(0x7fffffff, INT32_MIN, 32, 0, "")), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
  EXPECT_THAT(DecodeImage(Bmp(1 << 11, 1 << 11, 8, 1, kFourColors, 4)), FailsWith(kInvalid, "IMAGE_TRUNCATED"));
  EXPECT_THAT(DecodeImage(Bmp(0, 2, 24, 0, "")), FailsWith(kInvalid, "IMAGE_EMPTY"));
  EXPECT_THAT(DecodeImage(Bmp(2, 2, 5, 0, "")), FailsWith(kInvalid, "IMAGE_UNSUPPORTED"));
  EXPECT_THAT(DecodeImage(Bmp(2, 2, 24, 4, "")), FailsWith(kInvalid, "IMAGE_UNSUPPORTED"));
  EXPECT_THAT(DecodeImage(Bmp(2, 2, 32, 3, LittleEndian(1, 4) + LittleEndian(2, 4) + LittleEndian(4, 4))),
              FailsWith(kInvalid, "IMAGE_UNSUPPORTED"));
}

// Codes of three bits; a clear code (4) after every two indices keeps them so narrow.
std::string GifCodes(const std::vector<int>& indices) {
  std::vector<int> codes;
  for (size_t i = 0; i < indices.size(); ++i) {
    if (i % 2 == 0) codes.push_back(4);
    codes.push_back(indices[i]);
  }
  codes.push_back(5);
  std::string bytes((codes.size() * 3 + 7) / 8, '\0');
  for (size_t bit = 0; bit < codes.size() * 3; ++bit) {
    if ((codes[bit / 3] >> (bit % 3) & 1) != 0) bytes[bit / 8] = static_cast<char>(bytes[bit / 8] | 1 << (bit % 8));
  }
  return absl::StrCat("\2", LittleEndian(static_cast<uint32_t>(bytes.size()), 1), bytes, std::string(1, '\0'));
}

struct GifFrame {
  uint32_t left = 0, top = 0, width = 1, height = 1;
  bool interlaced = false;
};

// A screen with four shades, 10, 20, 30, 40; of the frame's graphic control block index 3 is transparent.
std::string Gif(uint32_t width, uint32_t height, const GifFrame& frame, const std::string& codes) {
  std::string colors;
  for (const char shade : {10, 20, 30, 40}) colors += std::string(3, shade);
  return absl::StrCat("GIF89a", LittleEndian(width, 2), LittleEndian(height, 2), LittleEndian(0x81, 3), colors,
                      std::string("!\xf9\4\1\0\0\3\0", 8), ",", LittleEndian(frame.left, 2), LittleEndian(frame.top, 2),
                      LittleEndian(frame.width, 2), LittleEndian(frame.height, 2),
                      LittleEndian(frame.interlaced ? 0x40 : 0, 1), codes);
}

std::vector<int> Shades(const RgbImage& image) {
  std::vector<int> shades;
  for (size_t i = 0; i < image.pixels.size(); i += 3) shades.push_back(image.pixels[i]);
  return shades;
}

TEST(GifTest, TheFrameLiesOnTheScreenAndTransparencyIsDropped) {
  ASSERT_OK_AND_ASSIGN(const RgbImage image, DecodeImage(Gif(4, 3, {1, 1, 2, 2}, GifCodes({0, 1, 2, 3}))));
  EXPECT_EQ(image.width, 4);
  EXPECT_THAT(Shades(image), ElementsAre(40, 40, 40, 40, 40, 10, 20, 40, 40, 30, 40, 40));
}

TEST(GifTest, InterlacedRowsComeInFourPasses) {
  ASSERT_OK_AND_ASSIGN(const RgbImage image, DecodeImage(Gif(1, 6, {0, 0, 1, 6, true}, GifCodes({0, 1, 2, 3, 0, 1}))));
  EXPECT_THAT(Shades(image), ElementsAre(10, 40, 30, 10, 20, 20)) << "rows 0, 4, 2, 1, 3, 5";
}

TEST(GifTest, ACodeMayStandForTheStringThatItEnds) {
  // 1, then the code that is being defined: 1 1; with the clear code before, three bits each.
  const std::string codes("\2\2\x8c\x0b\0", 5);
  ASSERT_OK_AND_ASSIGN(const RgbImage image, DecodeImage(Gif(3, 1, {0, 0, 3, 1}, codes)));
  EXPECT_THAT(Shades(image), ElementsAre(20, 20, 20));
}

TEST(GifTest, RefusesWhatIsCutDamagedOrTooLarge) {
  const std::string whole = Gif(2, 2, {0, 0, 2, 2}, GifCodes({0, 1, 2, 3}));
  for (size_t size = 1; size < whole.size() - 2; ++size) {
    EXPECT_THAT(DecodeImage(whole.substr(0, size)), FailsWith(kInvalid, "IMAGE_TRUNCATED")) << size;
  }
  EXPECT_THAT(DecodeImage(Gif(2, 1, {0, 0, 2, 1}, GifCodes({7, 7}))), FailsWith(kInvalid, "IMAGE_CORRUPT"));
  EXPECT_THAT(DecodeImage(Gif(2, 1, {0, 0, 2, 1}, std::string("\x0c\0", 2))), FailsWith(kInvalid, "IMAGE_CORRUPT"));
  EXPECT_THAT(DecodeImage(whole.substr(0, 25) + ";"), FailsWith(kInvalid, "IMAGE_EMPTY"));
  EXPECT_THAT(DecodeImage(Gif(65535, 65535, {0, 0, 1, 1}, GifCodes({0}))), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
  EXPECT_THAT(DecodeImage(Gif(1, 1, {65535, 65535, 65535, 65535}, GifCodes({0}))),
              FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
}

struct TiffTag {
  uint32_t number, type, count, value;
};

// One strip, `data`, behind a directory that stands first.
std::string Tiff(std::vector<TiffTag> tags, const std::string& data) {
  const auto offset = static_cast<uint32_t>(8 + 2 + 12 * (tags.size() + 2) + 4);
  tags.push_back({273, 4, 1, offset});
  tags.push_back({279, 4, 1, static_cast<uint32_t>(data.size())});
  std::sort(tags.begin(), tags.end(), [](const TiffTag& a, const TiffTag& b) { return a.number < b.number; });
  std::string file = std::string("II*\0", 4) + LittleEndian(8, 4) + LittleEndian(static_cast<uint32_t>(tags.size()), 2);
  for (const TiffTag& tag : tags) {
    file += LittleEndian(tag.number, 2) + LittleEndian(tag.type, 2) + LittleEndian(tag.count, 4) +
            LittleEndian(tag.value, 4);
  }
  return file + LittleEndian(0, 4) + data;
}

std::vector<TiffTag> GreyTags(uint32_t width, uint32_t height, uint32_t compression = 1, uint32_t bits = 8) {
  return {{256, 4, 1, width}, {257, 4, 1, height}, {258, 3, 1, bits},  {259, 3, 1, compression},
          {262, 3, 1, 1},     {277, 3, 1, 1},      {278, 4, 1, height}};
}

TEST(TiffTest, ReadsAStripAndTurnsIt) {
  std::vector<TiffTag> tags = GreyTags(3, 2);
  ASSERT_OK_AND_ASSIGN(const RgbImage image, DecodeImage(Tiff(tags, "\1\2\3\4\5\6")));
  EXPECT_THAT(Shades(image), ElementsAre(1, 2, 3, 4, 5, 6));
  tags.push_back({274, 3, 1, 6});  // the first row is on the right
  ASSERT_OK_AND_ASSIGN(const RgbImage turned, DecodeImage(Tiff(tags, "\1\2\3\4\5\6")));
  EXPECT_EQ(turned.width, 2);
  EXPECT_THAT(Shades(turned), ElementsAre(4, 1, 5, 2, 6, 3));
}

TEST(TiffTest, RefusesWhatIsCutOddOrTooLarge) {
  const std::string whole = Tiff(GreyTags(3, 2), "\1\2\3\4\5\6");
  for (size_t size = 1; size < whole.size(); ++size) {
    EXPECT_THAT(DecodeImage(whole.substr(0, size)),
                AnyOf(FailsWith(kInvalid, "IMAGE_CORRUPT"), FailsWith(kInvalid, "IMAGE_TRUNCATED")))
        << size;
  }
  EXPECT_THAT(DecodeImage(Tiff(GreyTags(1 << 30, 1 << 30), "x")), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
  EXPECT_THAT(DecodeImage(Tiff(GreyTags(0xffffffff, 1), "x")), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
  EXPECT_THAT(DecodeImage(Tiff(GreyTags(3, 2, 6), "x")), FailsWith(kInvalid, "IMAGE_UNSUPPORTED")) << "old JPEG";
  EXPECT_THAT(DecodeImage(Tiff(GreyTags(3, 2, 34925), "x")), FailsWith(kInvalid, "IMAGE_UNSUPPORTED"))
      << "LZMA, whose dictionary may be of any size";
  EXPECT_THAT(DecodeImage(Tiff(GreyTags(3, 2, 1, 32), "x")), FailsWith(kInvalid, "IMAGE_UNSUPPORTED"));
  EXPECT_THAT(DecodeImage(Tiff(GreyTags(3, 2, 5), "\1\2\3\4\5\6")), FailsWith(kInvalid, "IMAGE_CORRUPT"));
  std::vector<TiffTag> tiles = GreyTags(3, 2);
  tiles.pop_back();
  tiles.push_back({322, 4, 1, 1 << 20});
  tiles.push_back({323, 4, 1, 1 << 20});
  EXPECT_THAT(DecodeImage(Tiff(tiles, "x")), FailsWith(kInvalid, "IMAGE_CORRUPT")) << "a tile of 10^12 bytes";
}

}  // namespace
}  // namespace modelpatch::data
