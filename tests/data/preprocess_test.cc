#include "core/data/preprocess.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/data/resize.h"
#include "tests/data/image_samples.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;
using ::modelpatch::testing::NoiseImage;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(PreprocessTest, ReadsTheOldForm) {
  ASSERT_OK_AND_ASSIGN(const PreprocessConfig config, ParsePreprocessConfig(R"({
    "crop_size": 288, "do_center_crop": true, "do_normalize": true, "do_resize": true,
    "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": [0.5, 0.25, 0], "image_std": [1, 0.5, 2],
    "resample": 3, "size": 288})"));
  EXPECT_EQ(config.image_size, 288);
  EXPECT_THAT(config.mean, ::testing::ElementsAre(0.5f, 0.25f, 0.0f));
  EXPECT_THAT(config.std, ::testing::ElementsAre(1.0f, 0.5f, 2.0f));
}

TEST(PreprocessTest, ReadsTheNewForm) {
  ASSERT_OK_AND_ASSIGN(const PreprocessConfig config, ParsePreprocessConfig(R"({
    "crop_size": {"height": 32, "width": 32}, "do_rescale": true, "rescale_factor": 0.00392156862745098,
    "do_convert_rgb": true, "size": {"shortest_edge": 32}})"));
  EXPECT_EQ(config.image_size, 32);
  EXPECT_EQ(config.mean, PreprocessConfig().mean);
}

TEST(PreprocessTest, WhatIsAbsentHasItsDefault) {
  ASSERT_OK_AND_ASSIGN(const PreprocessConfig empty, ParsePreprocessConfig("{}"));
  EXPECT_EQ(empty.image_size, 224);
  EXPECT_FLOAT_EQ(empty.mean[0], 0.48145466f);
  EXPECT_FLOAT_EQ(empty.std[2], 0.27577711f);
  ASSERT_OK_AND_ASSIGN(const PreprocessConfig only_size, ParsePreprocessConfig(R"({"size": 64, "crop_size": null})"));
  EXPECT_EQ(only_size.image_size, 64);
}

TEST(PreprocessTest, RefusesOtherTransforms) {
  for (const char* json :
       {R"({"resample": 2})", R"({"do_resize": false})", R"({"do_center_crop": false})", R"({"do_normalize": false})",
        R"({"do_rescale": false})", R"({"rescale_factor": 1})", R"({"size": {"height": 224, "width": 224}})",
        R"({"size": 256, "crop_size": 224})", R"({"size": 256, "crop_size": {"height": 224, "width": 256}})",
        R"({"size": {"shortest_edge": 224, "longest_edge": 300}})"}) {
    EXPECT_THAT(ParsePreprocessConfig(json), FailsWith(kInvalid, "UNSUPPORTED_PREPROCESSING")) << json;
  }
}

TEST(PreprocessTest, RefusesMalformedDocuments) {
  for (const char* json : {"",
                           "{",
                           "[]",
                           "3",
                           R"({"size": "224"})",
                           R"({"size": 0})",
                           R"({"size": -5})",
                           R"({"size": 1e9})",
                           R"({"size": 18446744073709551615})",
                           R"({"size": 100000})",
                           R"({"size": 22.5})",
                           R"({"crop_size": {}})",
                           R"({"do_resize": 1})",
                           R"({"resample": "bicubic"})",
                           R"({"crop_size": {"height": "x", "width": 224}})",
                           R"({"image_mean": 0.5})",
                           R"({"image_mean": [1, 2]})",
                           R"({"image_mean": [1, 2, "3"]})",
                           R"({"image_std": [1, 0, 1]})",
                           R"({"image_std": [1, -1, 1]})",
                           R"({"image_std": [1, 1e300, 1]})",
                           R"({"image_mean": [1, -1e300, 1]})",
                           R"({"image_std": [1, 1e-7, 1]})",
                           R"({"image_mean": [1, 257, 1]})"}) {
    EXPECT_THAT(ParsePreprocessConfig(json), FailsWith(kInvalid, "BAD_PREPROCESSOR_CONFIG")) << json;
  }
  EXPECT_EQ(base::FieldOf(ParsePreprocessConfig(R"({"image_std": [1, 0, 1]})").status()), "image_std");
}

TEST(PreprocessTest, RefusesTextsThatHideOrHoldTooMuch) {
  const auto refused = FailsWith(kInvalid, "BAD_PREPROCESSOR_CONFIG");
  EXPECT_THAT(ParsePreprocessConfig(std::string("{}\0{", 4)), refused);
  EXPECT_OK(ParsePreprocessConfig("{}" + std::string((1 << 20) - 2, ' ')));
  EXPECT_THAT(ParsePreprocessConfig("{}" + std::string((1 << 20) - 1, ' ')), refused);
}

TEST(PreprocessTest, DeepNestingIsRefusedWithoutRecursion) {
  const std::string deep = std::string(250'000, '[') + std::string(250'000, ']');
  const auto refused = FailsWith(kInvalid, "BAD_PREPROCESSOR_CONFIG");
  for (const char* key : {"size", "crop_size", "do_resize", "resample", "rescale_factor", "image_mean", "image_std"}) {
    EXPECT_THAT(ParsePreprocessConfig(fmt::format(R"({{"{}": {}}})", key, deep)), refused) << key;
  }
  EXPECT_THAT(ParsePreprocessConfig(fmt::format(R"({{"image_mean": [1, 1, {}]}})", deep)), refused);
  EXPECT_THAT(ParsePreprocessConfig(fmt::format(R"({{"crop_size": {{"height": {}, "width": {}}}}})", deep, deep)),
              refused);
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
  EXPECT_EQ(pixels.pixels, ResizeShorterSideAndCrop(image, 48).pixels);
  EXPECT_THAT(PreprocessToPixels("no image", {}), FailsWith(kInvalid, "IMAGE_UNKNOWN_FORMAT"));
  EXPECT_THAT(PreprocessToPixels(encoded, {}, {.maximum_pixels = 10}), FailsWith(kInvalid, "IMAGE_TOO_LARGE"));
}

}  // namespace
}  // namespace modelpatch::data
