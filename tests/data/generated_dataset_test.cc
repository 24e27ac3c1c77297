#include "core/data/generated_dataset.h"

#include <algorithm>
#include <map>
#include <set>

#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;

class GeneratorTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override {
    auto generator = FindGenerator(GetParam());
    ASSERT_OK(generator);
    generator_ = *std::move(generator);
  }
  std::shared_ptr<const Generator> generator_;
};

TEST_P(GeneratorTest, IsAFunctionOfSeedSplitAndIndex) {
  const auto pixels = [this](uint64_t seed, Split split, int64_t index) {
    return generator_->Draw(seed, split, index, kGeneratedSide).image.pixels;
  };
  const auto once = pixels(1, Split::kTrain, 12);
  EXPECT_EQ(once.size(), 3u * 32 * 32);
  EXPECT_EQ(once, pixels(1, Split::kTrain, 12));
  EXPECT_NE(once, pixels(2, Split::kTrain, 12));
  EXPECT_NE(once, pixels(1, Split::kTest, 12));
  EXPECT_NE(once, pixels(1, Split::kTrain, 22));  // the same class
}

TEST_P(GeneratorTest, LabelsAreBalancedAndAgreeWithTheWords) {
  std::map<int32_t, int> counts;
  for (int64_t i = 0; i < 200; ++i) {
    const GeneratedExample example = generator_->Draw(3, Split::kTrain, i, kGeneratedSide);
    ++counts[example.label];
    const std::string_view name = generator_->class_names()[static_cast<size_t>(example.label)];
    EXPECT_EQ(GetParam() == "colors" ? example.color : example.shape, name);
    EXPECT_FALSE(example.color.empty());
  }
  EXPECT_EQ(counts.size(), generator_->class_names().size());
  for (const auto& [label, count] : counts) EXPECT_EQ(count, 20) << label;
}

TEST_P(GeneratorTest, EveryPictureHasContrast) {
  for (int64_t i = 0; i < 200; ++i) {
    const RgbImage image = generator_->Draw(5, Split::kTest, i, kGeneratedSide).image;
    const auto [low, high] = std::minmax_element(image.pixels.begin(), image.pixels.end());
    EXPECT_GT(*high - *low, 50) << i;
  }
}

TEST_P(GeneratorTest, DrawsAnySize) {
  for (const int side : {8, 33, 224}) {
    const RgbImage image = generator_->Draw(1, Split::kTrain, 0, side).image;
    EXPECT_EQ(image.width, side);
    EXPECT_EQ(image.height, side);
    EXPECT_EQ(image.pixels.size(), 3u * static_cast<size_t>(side) * static_cast<size_t>(side));
  }
}

TEST_P(GeneratorTest, IsADatasetWithADigest) {
  const OpenedDataset opened = MakeGeneratedDataset(generator_, 1, Split::kTrain, 25);
  ASSERT_EQ(opened.dataset->size(), 25);
  EXPECT_EQ(opened.dataset->label(24), 4);
  ASSERT_OK_AND_ASSIGN(const RgbImage image, opened.dataset->image(24));
  EXPECT_EQ(image.pixels, generator_->Draw(1, Split::kTrain, 24, kGeneratedSide).image.pixels);
  EXPECT_EQ(opened.digest, MakeGeneratedDataset(generator_, 1, Split::kTrain, 25).digest);
  std::set<std::string> digests = {opened.digest, MakeGeneratedDataset(generator_, 2, Split::kTrain, 25).digest,
                                   MakeGeneratedDataset(generator_, 1, Split::kTest, 25).digest,
                                   MakeGeneratedDataset(generator_, 1, Split::kTrain, 26).digest,
                                   MakeGeneratedDataset(generator_, 1, Split::kTrain, 25, 64).digest};
  EXPECT_EQ(digests.size(), 5u);
}

INSTANTIATE_TEST_SUITE_P(All, GeneratorTest, ::testing::Values("colors", "digits", "shapes"),
                         [](const auto& param) { return std::string(param.param); });

TEST(Generators, AreListed) {
  for (const std::string_view name : GeneratorNames()) EXPECT_OK(FindGenerator(name)) << name;
  EXPECT_THAT(FindGenerator("letters"), FailsWith(absl::StatusCode::kInvalidArgument, "UNKNOWN_GENERATOR"));
}

}  // namespace
}  // namespace modelpatch::data
