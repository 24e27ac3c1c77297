#include "core/data/split.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "tests/data/dataset_samples.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::data {
namespace {

using ::modelpatch::testing::FailsWith;
using ::testing::ElementsAre;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::map<int32_t, int> Count(const std::vector<int32_t>& labels, const std::vector<int64_t>& indices) {
  std::map<int32_t, int> counts;
  for (const int64_t index : indices) ++counts[labels[static_cast<size_t>(index)]];
  return counts;
}

// 98 of class 0, 42 of class 1, 7 of class 3; class 2 has none.
std::vector<int32_t> UnevenLabels() {
  std::vector<int32_t> labels;
  for (int i = 0; i < 147; ++i) labels.push_back(i % 21 == 0 ? 3 : i % 21 <= 6 && labels.size() < 140 ? 1 : 0);
  return labels;
}

TEST(StratifiedSplit, EveryClassGivesItsShare) {
  const std::vector<int32_t> labels = UnevenLabels();
  ASSERT_OK_AND_ASSIGN(const SplitIndices split, StratifiedSplit(labels, 0.2, 1));
  std::vector<int64_t> all = split.train;
  all.insert(all.end(), split.validation.begin(), split.validation.end());
  EXPECT_TRUE(std::is_sorted(split.train.begin(), split.train.end()));
  EXPECT_TRUE(std::is_sorted(split.validation.begin(), split.validation.end()));
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), labels.size());
  for (size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<int64_t>(i));
  EXPECT_EQ(split.validation.size(), 29u);  // round(0.2 · 147)
  const auto whole = Count(labels, all);
  for (const auto& [label, count] : Count(labels, split.validation))
    EXPECT_NEAR(count, 0.2 * whole.at(label), 1.0) << label;
}

TEST(StratifiedSplit, IsAFunctionOfTheSeed) {
  const std::vector<int32_t> labels = UnevenLabels();
  ASSERT_OK_AND_ASSIGN(const SplitIndices once, StratifiedSplit(labels, 0.2, 1));
  ASSERT_OK_AND_ASSIGN(const SplitIndices again, StratifiedSplit(labels, 0.2, 1));
  ASSERT_OK_AND_ASSIGN(const SplitIndices other, StratifiedSplit(labels, 0.2, 2));
  EXPECT_EQ(once.validation, again.validation);
  EXPECT_NE(once.validation, other.validation);
  EXPECT_EQ(once.validation.size(), other.validation.size());
}

TEST(StratifiedSplit, EveryClassKeepsAnExampleForTraining) {
  const std::vector<int32_t> labels = {0, 1, 2, 2, 2, 2};
  ASSERT_OK_AND_ASSIGN(const SplitIndices split, StratifiedSplit(labels, 0.9, 1));
  EXPECT_THAT(Count(labels, split.train),
              ElementsAre(::testing::Pair(0, 1), ::testing::Pair(1, 1), ::testing::Pair(2, 1)));
  EXPECT_THAT(StratifiedSplit(std::vector<int32_t>{0, 1, 2}, 0.5, 1), FailsWith(kInvalid, "SPLIT_TOO_SMALL"));
  EXPECT_THAT(StratifiedSplit(std::vector<int32_t>{}, 0.5, 1), FailsWith(kInvalid, "SPLIT_TOO_SMALL"));
}

TEST(StratifiedSplit, RefusesFractionsOutsideTheUnitInterval) {
  for (const double fraction : {0.0, 1.0, -0.1, 1.5, std::nan("")}) {
    EXPECT_THAT(StratifiedSplit(UnevenLabels(), fraction, 1), FailsWith(kInvalid, "BAD_VALIDATION_FRACTION"));
  }
}

TEST(Strata, AreTheClassesUnlessExamplesHaveCandidates) {
  const testing::CountingDataset plain(6, 3, 8, 8);
  EXPECT_EQ(StrataOf(plain), LabelsOf(plain));
  EXPECT_EQ(StrataOf(testing::PairedDataset(6, 3)), std::vector<int32_t>(6, 0));
  EXPECT_TRUE(StrataOf(testing::CountingDataset(0, 3, 8, 8)).empty());
}

TEST(StratifiedSubset, TakesTheNumberAskedForInProportion) {
  const std::vector<int32_t> labels = UnevenLabels();
  const std::vector<int64_t> subset = StratifiedSubset(labels, 50, 3);
  EXPECT_EQ(subset.size(), 50u);
  EXPECT_EQ(subset, StratifiedSubset(labels, 50, 3));
  for (const auto& [label, count] : Count(labels, subset)) {
    EXPECT_NEAR(count, std::count(labels.begin(), labels.end(), label) * 50.0 / 147.0, 1.0) << label;
  }
  EXPECT_EQ(StratifiedSubset(labels, 1000, 3).size(), 147u);
  EXPECT_EQ(StratifiedSubset(labels, 0, 3).size(), 0u);
}

}  // namespace
}  // namespace modelpatch::data
