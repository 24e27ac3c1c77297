#include "core/patch/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/base/random.h"

namespace modelpatch::patch {
namespace {

using Correctness = std::vector<uint8_t>;

// `count` examples of which the share `accuracy` is right.
Correctness Draw(size_t count, double accuracy, uint64_t seed) {
  base::RandomStream random(seed, "test");
  Correctness correct(count);
  for (uint8_t& one : correct) one = random.Uniform() < accuracy ? 1 : 0;
  return correct;
}

double MeanOf(const Correctness& correct) {
  double sum = 0;
  for (const uint8_t one : correct) sum += one;
  return sum / static_cast<double>(correct.size());
}

TEST(BootstrapTest, IsTheNormalIntervalOfManyExamples) {
  const Correctness correct = Draw(4000, 0.8, 1);
  const double mean = MeanOf(correct);
  const double half = 1.96 * std::sqrt(mean * (1 - mean) / 4000);
  const Interval interval = BootstrapAccuracy(correct, 7);
  // The ends of 1,000 resamples are known to about a tenth of the half width.
  EXPECT_NEAR(interval.low, mean - half, 0.15 * half);
  EXPECT_NEAR(interval.high, mean + half, 0.15 * half);
}

TEST(BootstrapTest, CoversTheTruthAsOftenAsItSays) {
  int covered = 0;
  constexpr int kRounds = 300;
  for (int round = 0; round < kRounds; ++round) {
    const Interval interval = BootstrapAccuracy(Draw(200, 0.7, static_cast<uint64_t>(100 + round)), 7);
    covered += interval.low <= 0.7 && 0.7 <= interval.high ? 1 : 0;
  }
  // 95 %, less what 200 examples and the percentile method lose; three standard errors are 4 points.
  EXPECT_GE(covered, kRounds * 89 / 100);
  EXPECT_LE(covered, kRounds * 99 / 100);
}

TEST(BootstrapTest, ADifferenceIsPaired) {
  // The same examples but for 20 of 1,000 that are gained: the difference is known far better than each accuracy.
  const Correctness before = Draw(1000, 0.6, 3);
  Correctness after = before;
  int gained = 0;
  for (uint8_t& one : after) {
    if (one == 0 && gained < 20) {
      one = 1;
      ++gained;
    }
  }
  const Interval difference = BootstrapDifference(before, after, 7);
  EXPECT_NEAR(difference.low, 0.02 - 1.96 * std::sqrt(0.02 * 0.98 / 1000), 0.002);
  EXPECT_NEAR(difference.high, 0.02 + 1.96 * std::sqrt(0.02 * 0.98 / 1000), 0.002);
  const Interval reversed = BootstrapDifference(after, before, 7);
  EXPECT_DOUBLE_EQ(reversed.low, -difference.high);
  EXPECT_DOUBLE_EQ(reversed.high, -difference.low);
}

TEST(BootstrapTest, ASeedDecidesEverything) {
  const Correctness correct = Draw(100, 0.5, 1);
  const Interval one = BootstrapAccuracy(correct, 7);
  const Interval same = BootstrapAccuracy(correct, 7);
  EXPECT_EQ(one.low, same.low);
  EXPECT_EQ(one.high, same.high);
  const Correctness many = Draw(977, 0.5, 1);
  EXPECT_NE(BootstrapAccuracy(many, 7).low + BootstrapAccuracy(many, 7).high,
            BootstrapAccuracy(many, 8).low + BootstrapAccuracy(many, 8).high);
}

TEST(BootstrapTest, Degenerate) {
  const Interval nothing = BootstrapAccuracy({}, 7);
  EXPECT_EQ(nothing.low, 0);
  EXPECT_EQ(nothing.high, 0);
  const Interval all = BootstrapAccuracy(Correctness(50, 1), 7);
  EXPECT_EQ(all.low, 1);
  EXPECT_EQ(all.high, 1);
  const Interval unchanged = BootstrapDifference(Draw(50, 0.5, 1), Draw(50, 0.5, 1), 7);
  EXPECT_EQ(unchanged.low, 0);
  EXPECT_EQ(unchanged.high, 0);
}

}  // namespace
}  // namespace modelpatch::patch
