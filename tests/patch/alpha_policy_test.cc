#include "core/patch/alpha_policy.h"

#include "tests/support/status_matchers.h"

namespace modelpatch::patch {
namespace {

using ::modelpatch::testing::FailsWith;

// A point whose tasks have 1000 examples each: a patching task and two supported ones.
AlphaAccuracies Point(double alpha, int64_t patching, int64_t first, int64_t second) {
  const auto split = data::Split::kValidation;
  return {alpha,
          {{"digits", TaskRole::kPatching, split, patching, 1000},
           {"shapes", TaskRole::kSupported, split, first, 1000},
           {"colors", TaskRole::kSupported, split, second, 1000}}};
}

TEST(AlphaPolicyTest, MeanIsHalfPatchingHalfSupported) {
  EXPECT_DOUBLE_EQ(MeanAccuracy(Point(0, 500, 900, 800).accuracies), (0.5 + 0.85) / 2);
}

TEST(AlphaPolicyTest, MeanTakesTheBestAverageAndTheSmallestAlphaOnTies) {
  const std::vector<AlphaAccuracies> points = {Point(0, 300, 900, 900), Point(0.5, 700, 880, 880),
                                               Point(0.7, 740, 840, 840), Point(1, 900, 500, 500)};
  ASSERT_OK_AND_ASSIGN(const size_t chosen, ChooseAlpha(points, AlphaPolicy::kMean, 0));
  EXPECT_EQ(points[chosen].alpha, 0.5);
}

TEST(AlphaPolicyTest, MeansThatAreEqualAsFractionsAreATie) {
  // (0.3 + 0.6) / 2 and (0.4 + 0.5) / 2 differ in the last bit.
  const auto split = data::Split::kValidation;
  const std::vector<AlphaAccuracies> points = {
      {0, {{"digits", TaskRole::kPatching, split, 3, 10}, {"shapes", TaskRole::kSupported, split, 6, 10}}},
      {0.5, {{"digits", TaskRole::kPatching, split, 4, 10}, {"shapes", TaskRole::kSupported, split, 5, 10}}}};
  ASSERT_NE(MeanAccuracy(points[0].accuracies), MeanAccuracy(points[1].accuracies));
  ASSERT_OK_AND_ASSIGN(const size_t chosen, ChooseAlpha(points, AlphaPolicy::kMean, 0));
  EXPECT_EQ(points[chosen].alpha, 0);
}

TEST(AlphaPolicyTest, BudgetHoldsForEverySupportedTask) {
  const std::vector<AlphaAccuracies> points = {Point(0, 300, 900, 900), Point(0.3, 500, 897, 900),
                                               Point(0.5, 700, 895, 901), Point(0.6, 800, 894, 950),
                                               Point(1, 950, 950, 894)};
  ASSERT_OK_AND_ASSIGN(const size_t chosen, ChooseAlpha(points, AlphaPolicy::kBudget, 0.5));
  EXPECT_EQ(points[chosen].alpha, 0.5);
  ASSERT_OK_AND_ASSIGN(const size_t generous, ChooseAlpha(points, AlphaPolicy::kBudget, 0.6));
  EXPECT_EQ(points[generous].alpha, 1);
  ASSERT_OK_AND_ASSIGN(const size_t strict, ChooseAlpha(points, AlphaPolicy::kBudget, 0.0));
  EXPECT_EQ(points[strict].alpha, 0);
}

TEST(AlphaPolicyTest, BudgetNeedsAPointToCompareWith) {
  const std::vector<AlphaAccuracies> points = {Point(0.5, 700, 895, 901)};
  EXPECT_THAT(ChooseAlpha(points, AlphaPolicy::kBudget, 0.5),
              FailsWith(absl::StatusCode::kFailedPrecondition, "NO_BASE_POINT"));
}

TEST(AlphaPolicyTest, NamesRoundTrip) {
  for (const AlphaPolicy policy : {AlphaPolicy::kFixed, AlphaPolicy::kMean, AlphaPolicy::kBudget}) {
    ASSERT_OK_AND_ASSIGN(const AlphaPolicy parsed, ParseAlphaPolicy(NameOf(policy)));
    EXPECT_EQ(parsed, policy);
  }
  EXPECT_THAT(ParseAlphaPolicy("best"), FailsWith(absl::StatusCode::kInvalidArgument, "BAD_ALPHA_POLICY"));
}

}  // namespace
}  // namespace modelpatch::patch
