#include "core/data/preprocess_config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(PreprocessConfigTest, ReadsTheOldForm) {
  ASSERT_OK_AND_ASSIGN(const PreprocessConfig config, ParsePreprocessConfig(R"({
    "crop_size": 288, "do_center_crop": true, "do_normalize": true, "do_resize": true,
    "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": [0.5, 0.25, 0], "image_std": [1, 0.5, 2],
    "resample": 3, "size": 288})"));
  EXPECT_EQ(config.image_size, 288);
  EXPECT_THAT(config.mean, ::testing::ElementsAre(0.5f, 0.25f, 0.0f));
  EXPECT_THAT(config.std, ::testing::ElementsAre(1.0f, 0.5f, 2.0f));
}

TEST(PreprocessConfigTest, ReadsTheNewForm) {
  ASSERT_OK_AND_ASSIGN(const PreprocessConfig config, ParsePreprocessConfig(R"({
    "crop_size": {"height": 32, "width": 32}, "do_rescale": true, "rescale_factor": 0.00392156862745098,
    "do_convert_rgb": true, "size": {"shortest_edge": 32}})"));
  EXPECT_EQ(config.image_size, 32);
  EXPECT_EQ(config.mean, PreprocessConfig().mean);
}

TEST(PreprocessConfigTest, WhatIsAbsentHasItsDefault) {
  ASSERT_OK_AND_ASSIGN(const PreprocessConfig empty, ParsePreprocessConfig("{}"));
  EXPECT_EQ(empty.image_size, 224);
  EXPECT_FLOAT_EQ(empty.mean[0], 0.48145466f);
  EXPECT_FLOAT_EQ(empty.std[2], 0.27577711f);
  ASSERT_OK_AND_ASSIGN(const PreprocessConfig only_size, ParsePreprocessConfig(R"({"size": 64, "crop_size": null})"));
  EXPECT_EQ(only_size.image_size, 64);
}

TEST(PreprocessConfigTest, ReadsEveryKindOfSize) {
  const auto read = [](const char* json) {
    const auto config = ParsePreprocessConfig(json);
    EXPECT_OK(config) << json;
    return config.value_or(PreprocessConfig());
  };
  PreprocessConfig squash;
  squash.resize_mode = ResizeMode::kSquash;
  EXPECT_TRUE(read(R"({"size": {"height": 224, "width": 224}})") == squash);
  EXPECT_TRUE(read(R"({"size": {"height": 224, "width": 224}, "crop_size": 224})") == squash);
  EXPECT_TRUE(read(R"({"size": {"height": 224, "width": 224}, "crop_size": 99, "do_center_crop": false})") == squash);
  squash.image_size = {336, 112};
  EXPECT_TRUE(read(R"({"size": {"width": 112, "height": 336}, "do_center_crop": false})") == squash);
  PreprocessConfig cropped;
  cropped.resize_size = 256;
  EXPECT_TRUE(read(R"({"size": 256, "crop_size": 224})") == cropped);
  EXPECT_TRUE(read(R"({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}})") == cropped);
  cropped.image_size = {224, 256};
  EXPECT_TRUE(read(R"({"size": 256, "crop_size": {"height": 224, "width": 256}})") == cropped);
}

TEST(PreprocessConfigTest, ReadsTheFilter) {
  EXPECT_EQ(ParsePreprocessConfig(R"({"resample": 3})")->filter, ResizeFilter::kBicubic);
  EXPECT_EQ(ParsePreprocessConfig(R"({"resample": 2})")->filter, ResizeFilter::kBilinear);
}

// As published beside google/siglip-base-patch16-224 and google/vit-base-patch16-224.
TEST(PreprocessConfigTest, TheImageProcessorDecidesWhatIsLeftOut) {
  PreprocessConfig expected{.resize_mode = ResizeMode::kSquash, .mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f}};
  ASSERT_OK_AND_ASSIGN(const PreprocessConfig siglip, ParsePreprocessConfig(R"({
    "do_normalize": true, "do_rescale": true, "do_resize": true, "image_processor_type": "SiglipImageProcessor",
    "processor_class": "SiglipProcessor", "resample": 3, "rescale_factor": 0.00392156862745098,
    "size": {"height": 224, "width": 224}})"));
  EXPECT_TRUE(siglip == expected);
  expected.filter = ResizeFilter::kBilinear;
  ASSERT_OK_AND_ASSIGN(const PreprocessConfig vit,
                       ParsePreprocessConfig(R"({"feature_extractor_type": "ViTFeatureExtractor", "size": 224,
                                                 "image_mean": [0.5, 0.5, 0.5]})"));
  EXPECT_TRUE(vit == expected);
  EXPECT_THAT(
      ParsePreprocessConfig(R"({"image_processor_type": "SiglipImageProcessor", "size": {"shortest_edge": 9}})"),
      FailsWith(kInvalid, "UNSUPPORTED_PREPROCESSING"));
}

TEST(PreprocessConfigTest, WhatIsWrittenIsReadBack) {
  PreprocessConfig config{.image_size = 48, .filter = ResizeFilter::kBilinear, .mean = {0.1f, 0.2f, 0.3f}};
  const auto survives = [&] {
    const auto written = WritePreprocessConfig(config);
    EXPECT_OK(written);
    const auto read = ParsePreprocessConfig(written.value_or(""));
    return read.ok() && *read == config;
  };
  EXPECT_TRUE(survives());
  config.resize_size = 60;
  EXPECT_TRUE(survives());
  config.image_size = {48, 30};
  EXPECT_TRUE(survives());
  config.resize_mode = ResizeMode::kSquash;
  EXPECT_TRUE(survives());
  config.resize_size.reset();
  EXPECT_TRUE(survives());
  ASSERT_OK_AND_ASSIGN(const std::string siglip, WritePreprocessConfig(config, "SiglipImageProcessor"));
  EXPECT_TRUE(*ParsePreprocessConfig(siglip) == config);
}

TEST(PreprocessConfigTest, WhatHuggingFaceCannotExpressIsNotWritten) {
  const auto refused = FailsWith(absl::StatusCode::kFailedPrecondition, "LAYOUT_UNSUPPORTED");
  EXPECT_THAT(WritePreprocessConfig({.resize_mode = ResizeMode::kLongest}), refused);
  EXPECT_THAT(WritePreprocessConfig({.image_size = {224, 448}}), refused);
  EXPECT_THAT(WritePreprocessConfig({}, "SiglipImageProcessor"), refused);
}

TEST(PreprocessConfigTest, RefusesOtherTransforms) {
  for (const char* json :
       {R"({"resample": 0})", R"({"resample": 1})", R"({"do_resize": false})", R"({"do_center_crop": false})",
        R"({"do_normalize": false})", R"({"do_rescale": false})", R"({"rescale_factor": 1})",
        R"({"size": 224, "crop_size": 256})", R"({"size": {"height": 256, "width": 200}, "crop_size": 224})",
        R"({"size": {"shortest_edge": 224, "longest_edge": 300}})", R"({"size": {"longest_edge": 300}})",
        R"({"size": {"height": 224}})"}) {
    EXPECT_THAT(ParsePreprocessConfig(json), FailsWith(kInvalid, "UNSUPPORTED_PREPROCESSING")) << json;
  }
}

TEST(PreprocessConfigTest, RefusesMalformedDocuments) {
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
                           R"({"size": {"height": 0, "width": 224}})",
                           R"({"do_resize": 1})",
                           R"({"do_center_crop": "no"})",
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

TEST(PreprocessConfigTest, RefusesTextsThatHideOrHoldTooMuch) {
  const auto refused = FailsWith(kInvalid, "BAD_PREPROCESSOR_CONFIG");
  EXPECT_THAT(ParsePreprocessConfig(std::string("{}\0{", 4)), refused);
  EXPECT_OK(ParsePreprocessConfig("{}" + std::string((1 << 20) - 2, ' ')));
  EXPECT_THAT(ParsePreprocessConfig("{}" + std::string((1 << 20) - 1, ' ')), refused);
}

TEST(PreprocessConfigTest, DeepNestingIsRefusedWithoutRecursion) {
  const std::string deep = std::string(250'000, '[') + std::string(250'000, ']');
  const auto refused = FailsWith(kInvalid, "BAD_PREPROCESSOR_CONFIG");
  for (const char* key : {"size", "crop_size", "do_resize", "resample", "rescale_factor", "image_mean", "image_std"}) {
    EXPECT_THAT(ParsePreprocessConfig(fmt::format(R"({{"{}": {}}})", key, deep)), refused) << key;
  }
  EXPECT_THAT(ParsePreprocessConfig(fmt::format(R"({{"image_mean": [1, 1, {}]}})", deep)), refused);
  EXPECT_THAT(ParsePreprocessConfig(fmt::format(R"({{"crop_size": {{"height": {}, "width": {}}}}})", deep, deep)),
              refused);
}

}  // namespace
}  // namespace modelpatch::data
