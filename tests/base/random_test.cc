#include "core/base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace modelpatch::base {
namespace {

TEST(RandomStreamTest, IsAFunctionOfItsKey) {
  RandomStream a(1, "shuffle", 2, 3);
  RandomStream b(1, "shuffle", 2, 3);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(a.NextBits(), b.NextBits());
}

TEST(RandomStreamTest, EveryPartOfTheKeyMatters) {
  std::set<uint64_t> first;
  for (uint64_t seed : {0, 1}) {
    for (const char* purpose : {"shuffle", "augmentation"}) {
      for (uint64_t step : {0, 1}) {
        for (uint64_t example : {0, 1}) first.insert(RandomStream(seed, purpose, step, example).NextBits());
      }
    }
  }
  EXPECT_EQ(first.size(), 16u);
}

TEST(RandomStreamTest, UniformAndNormalHaveTheirMoments) {
  constexpr int kCount = 100'000;
  RandomStream stream(7, "test");
  double sum = 0, normal_sum = 0, normal_square = 0;
  for (int i = 0; i < kCount; ++i) {
    const double u = stream.Uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    sum += u;
    const double z = stream.Normal();
    normal_sum += z;
    normal_square += z * z;
  }
  EXPECT_NEAR(sum / kCount, 0.5, 0.005);
  EXPECT_NEAR(normal_sum / kCount, 0, 0.02);
  EXPECT_NEAR(normal_square / kCount, 1, 0.02);
}

TEST(RandomStreamTest, PermutationHoldsEveryIndexOnce) {
  const auto order = RandomStream(3, "shuffle").Permutation(1000);
  EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), 1000u);
  EXPECT_NE(order[0] * 1000 + order[1], 1);
}

}  // namespace
}  // namespace modelpatch::base
