// Preprocessing against golden/images and golden/forward: decoding, resizing and cropping, normalisation, bit for bit.
#include "core/data/preprocess.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/data/image_codec.h"
#include "core/data/resize.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::data {
namespace {

using nlohmann::json;

constexpr uint64_t kMaximumFileSize = uint64_t{64} << 20;
constexpr size_t kImageCount = 33;

std::string ReadGolden(const std::string& path) {
  auto content = base::ReadFile(path, kMaximumFileSize);
  EXPECT_THAT(content, testing::IsOk()) << path;
  return content.ok() ? *std::move(content) : "";
}

// The bytes of one tensor of a safetensors file.
template <typename T>
std::vector<T> ReadTensor(const std::string& path, const std::string& name, const std::string& dtype,
                          const std::vector<int64_t>& shape) {
  const std::string file = ReadGolden(path);
  uint64_t header_size = 0;
  if (file.size() < sizeof(header_size)) return {};
  std::memcpy(&header_size, file.data(), sizeof(header_size));
  const json entry = json::parse(file.substr(8, header_size)).at(name);
  EXPECT_EQ(entry.at("dtype"), dtype);
  EXPECT_EQ(entry.at("shape"), shape);
  const auto offsets = entry.at("data_offsets").get<std::vector<size_t>>();
  std::vector<T> values((offsets[1] - offsets[0]) / sizeof(T));
  std::memcpy(values.data(), file.data() + 8 + header_size + offsets[0], offsets[1] - offsets[0]);
  return values;
}

struct GoldenImage {
  std::string file;
  int width, height;
  std::string decoded;  // a PNG of the pixels, or ""
};

std::vector<GoldenImage> ReadImages(const std::string& directory) {
  std::vector<GoldenImage> images;
  for (const json& entry : json::parse(ReadGolden(directory + "/images.json"))) {
    images.push_back({entry.at("file"), entry.at("width"), entry.at("height"), entry.value("decoded_rgb", "")});
  }
  EXPECT_EQ(images.size(), kImageCount);
  return images;
}

// The ordinal of the first byte that differs, or -1.
int64_t FirstDifference(const uint8_t* a, const uint8_t* b, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (a[i] != b[i]) return static_cast<int64_t>(i);
  }
  return -1;
}

TEST(GoldenPreprocessTest, DecodesEveryFileToItsReferencePixels) {
  MODELPATCH_TEST_DATA_OR_SKIP(directory, "golden/images");
  for (const GoldenImage& golden : ReadImages(directory)) {
    ASSERT_OK_AND_ASSIGN(const RgbImage image, DecodeImage(ReadGolden(directory + "/" + golden.file)));
    EXPECT_EQ(image.width, golden.width) << golden.file;
    EXPECT_EQ(image.height, golden.height) << golden.file;
    if (golden.decoded.empty()) continue;
    ASSERT_OK_AND_ASSIGN(const RgbImage expected, DecodeImage(ReadGolden(directory + "/" + golden.decoded)));
    ASSERT_EQ(image.pixels.size(), expected.pixels.size()) << golden.file;
    EXPECT_EQ(FirstDifference(image.pixels.data(), expected.pixels.data(), expected.pixels.size()), -1) << golden.file;
  }
}

TEST(GoldenPreprocessTest, ResizesAndCropsBitExactly) {
  MODELPATCH_TEST_DATA_OR_SKIP(directory, "golden/images");
  MODELPATCH_TEST_DATA_OR_SKIP(forward, "golden/forward");
  const json order = json::parse(ReadGolden(forward + "/forward.json")).at("images");
  const std::vector<GoldenImage> images = ReadImages(directory);
  for (const auto& [model, size] : {std::pair{"a_vit", 32}, {"b_vit", 48}, {"c_rn", 64}}) {
    const auto path = testing::FindTestData(std::string("golden/forward/") + model + "_preprocess.safetensors");
    if (!path.has_value()) continue;  // only a_vit's is handed out
    const auto expected = ReadTensor<uint8_t>(*path, "u8_rgbfirst", "U8", {kImageCount, size, size, 3});
    const size_t bytes = static_cast<size_t>(size) * static_cast<size_t>(size) * 3;
    for (size_t i = 0; i < images.size(); ++i) {
      ASSERT_EQ(images[i].file, order[i].get<std::string>());
      const auto compare = [&](const std::string& file) {
        ASSERT_OK_AND_ASSIGN(const RgbImage pixels,
                             PreprocessToPixels(ReadGolden(directory + "/" + file), {.image_size = size}));
        ASSERT_EQ(pixels.pixels.size(), bytes);
        EXPECT_EQ(FirstDifference(pixels.pixels.data(), expected.data() + i * bytes, bytes), -1)
            << file << " for " << model;
      };
      compare(images[i].file);
      if (!images[i].decoded.empty()) compare(images[i].decoded);
    }
  }
}

TEST(GoldenPreprocessTest, NormalizesBitExactly) {
  MODELPATCH_TEST_DATA_OR_SKIP(path, "golden/forward/a_vit_preprocess.safetensors");
  MODELPATCH_TEST_DATA_OR_SKIP(config_path, "golden/models/a_vit/hf/preprocessor_config.json");
  ASSERT_OK_AND_ASSIGN(const PreprocessConfig config, ParsePreprocessConfig(ReadGolden(config_path)));
  ASSERT_EQ(config.image_size, 32);
  const auto pixels = ReadTensor<uint8_t>(path, "u8", "U8", {kImageCount, 32, 32, 3});
  const auto expected = ReadTensor<float>(path, "pixels", "F32", {kImageCount, 3, 32, 32});
  std::vector<float> planes(expected.size());
  constexpr size_t kValues = 3 * 32 * 32;
  for (size_t i = 0; i < kImageCount; ++i) {
    NormalizeToPlanar(pixels.data() + i * kValues, config, planes.data() + i * kValues);
  }
  EXPECT_EQ(planes, expected);
}

}  // namespace
}  // namespace modelpatch::data
