#include "core/data/pixel_set.h"

#include <algorithm>
#include <map>

#include "core/data/resize.h"
#include "tests/data/dataset_samples.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::CountingDataset;
using ::modelpatch::testing::FailsWith;

PreprocessConfig Config(int size) {
  PreprocessConfig config;
  config.image_size = size;
  return config;
}

TEST(PixelSet, HoldsTheEvaluationTransformOfEveryExample) {
  const CountingDataset dataset(11, 3, 20, 14);
  ASSERT_OK_AND_ASSIGN(const PixelSet set, PreprocessDataset(dataset, Config(8), 1, {}));
  ASSERT_EQ(set.count, 11);
  ASSERT_EQ(set.pixels.size(), 11u * 8 * 8 * 3);
  EXPECT_EQ(set.labels, LabelsOf(dataset));
  for (int64_t i = 0; i < set.count; ++i) {
    const std::vector<uint8_t> expected = ResizeForModel(*dataset.image(i), Config(8)).pixels;
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), set.pixels.begin() + i * 8 * 8 * 3)) << i;
  }
  std::vector<float> batch(2 * 3 * 8 * 8), one(3 * 8 * 8);
  set.Normalize(4, 6, Config(8), batch.data());
  NormalizeToPlanar(set.pixels.data() + 5 * 8 * 8 * 3, Config(8), one.data());
  EXPECT_TRUE(std::equal(one.begin(), one.end(), batch.begin() + 3 * 8 * 8));
}

TEST(PixelSet, ThreadsChangeNothing) {
  const CountingDataset dataset(100, 3, 20, 14);
  ASSERT_OK_AND_ASSIGN(const PixelSet one, PreprocessDataset(dataset, Config(8), 1, {}));
  ASSERT_OK_AND_ASSIGN(const PixelSet four, PreprocessDataset(dataset, Config(8), 4, {}));
  EXPECT_EQ(one.pixels, four.pixels);
  EXPECT_EQ(one.labels, four.labels);
}

TEST(PixelSet, TakesAStratifiedChoice) {
  const CountingDataset dataset(100, 4, 9, 9);
  ASSERT_OK_AND_ASSIGN(const PixelSet set, PreprocessDataset(dataset, Config(8), 2, {}, 20));
  EXPECT_EQ(set.count, 20);
  std::map<int32_t, int> counts;
  for (const int32_t label : set.labels) ++counts[label];
  for (const auto& [label, count] : counts) EXPECT_EQ(count, 5) << label;
  ASSERT_OK_AND_ASSIGN(const PixelSet again, PreprocessDataset(dataset, Config(8), 1, {}, 20));
  EXPECT_EQ(set.pixels, again.pixels);
}

TEST(PixelSet, HoldsTheCandidatesOfEveryExample) {
  const testing::PairedDataset dataset(100, 100);
  ASSERT_OK_AND_ASSIGN(const PixelSet all, PreprocessDataset(dataset, Config(8), 2, {}));
  ASSERT_EQ(all.candidates.size(), 100u);
  for (int64_t i = 0; i < 100; ++i) EXPECT_EQ(all.candidates[static_cast<size_t>(i)], dataset.candidates(i));
  ASSERT_OK_AND_ASSIGN(const PixelSet some, PreprocessDataset(dataset, Config(8), 2, {}, 20));
  ASSERT_EQ(some.candidates.size(), 20u);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(some.candidates[i], dataset.candidates(some.labels[i]));
  ASSERT_OK_AND_ASSIGN(const PixelSet none, PreprocessDataset(CountingDataset(5, 5, 9, 9), Config(8), 1, {}));
  EXPECT_TRUE(none.candidates.empty());
}

TEST(PixelSet, AChoiceAmongExamplesWithCandidatesFavoursNoAnswer) {
  // Stratified by answers that occur once each, the first 20 would be taken.
  ASSERT_OK_AND_ASSIGN(const PixelSet some, PreprocessDataset(testing::PairedDataset(100, 100), Config(8), 1, {}, 20));
  EXPECT_GT(*std::max_element(some.labels.begin(), some.labels.end()), 60);
}

TEST(PixelSet, ReportsTheFirstBrokenExample) {
  const CountingDataset dataset(100, 4, 9, 9, /*broken=*/57);
  for (const int threads : {1, 4}) {
    const auto set = PreprocessDataset(dataset, Config(8), threads, {});
    EXPECT_THAT(set, FailsWith(absl::StatusCode::kInvalidArgument, "IMAGE_CORRUPT"));
    EXPECT_THAT(std::string(set.status().message()), ::testing::HasSubstr("example 57"));
  }
}

TEST(PixelSet, CanBeCancelled) {
  base::CancellationSource source;
  source.Cancel();
  EXPECT_EQ(PreprocessDataset(CountingDataset(10, 2, 9, 9), Config(8), 2, source.token()).status().code(),
            absl::StatusCode::kCancelled);
}

TEST(PixelSet, RefusesBadSizes) {
  for (const int size : {0, -1, 20'000}) {
    EXPECT_THAT(PreprocessDataset(CountingDataset(10, 2, 9, 9), Config(size), 1, {}),
                FailsWith(absl::StatusCode::kInvalidArgument, "BAD_IMAGE_SIZE"));
  }
}

}  // namespace
}  // namespace modelpatch::data
