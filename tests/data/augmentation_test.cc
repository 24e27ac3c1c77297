#include "core/data/augmentation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace modelpatch::data {
namespace {

TEST(DrawRandomCrop, StaysWithinImageAreaAndRatio) {
  for (const auto& [width, height] : {std::pair{32, 32}, std::pair{300, 280}, std::pair{28, 28}}) {
    std::set<std::pair<int, int>> sizes;
    double ratios = 0;
    for (uint64_t i = 0; i < 2000; ++i) {
      base::RandomStream random(1, "test", i);
      const Box box = DrawRandomCrop(width, height, {}, random);
      ASSERT_GE(box.left, 0);
      ASSERT_GE(box.top, 0);
      ASSERT_LE(box.left + box.width, width);
      ASSERT_LE(box.top + box.height, height);
      const double ratio = static_cast<double>(box.width) / box.height;
      ratios += std::log(ratio) / 2000;
      EXPECT_GE(static_cast<double>(box.width) * box.height / (width * height), 0.85);  // 0.9 less rounding
      EXPECT_GE(ratio, 0.72);
      EXPECT_LE(ratio, 1.38);
      sizes.insert({box.width, box.height});
    }
    EXPECT_GE(sizes.size(), 10u);
    EXPECT_NEAR(ratios, std::log(static_cast<double>(width) / height) * 0.5, 0.05);  // as often wide as tall
  }
}

TEST(DrawRandomCrop, FallsBackToTheCentreOfThinImages) {
  base::RandomStream random(1, "test");
  const Box wide = DrawRandomCrop(100, 12, {}, random);
  EXPECT_EQ(wide.width, 16);
  EXPECT_EQ(wide.height, 12);
  EXPECT_EQ(wide.left, 42);
  EXPECT_EQ(wide.top, 0);
  const Box tall = DrawRandomCrop(12, 101, {}, random);
  EXPECT_EQ(tall.width, 12);
  EXPECT_EQ(tall.height, 16);
  EXPECT_EQ(tall.left, 0);
  EXPECT_EQ(tall.top, 42);
  const Box line = DrawRandomCrop(1, 5000, {}, random);
  EXPECT_EQ(line.width, 1);
  EXPECT_EQ(line.height, 1);
}

TEST(DrawRandomCrop, TakesTheWholeOfTheSmallestImage) {
  base::RandomStream random(1, "test");
  const Box box = DrawRandomCrop(1, 1, {}, random);
  EXPECT_EQ(box.width, 1);
  EXPECT_EQ(box.height, 1);
}

}  // namespace
}  // namespace modelpatch::data
