#include "core/serve/mixture_demand.h"

#include <gtest/gtest.h>

namespace modelpatch::serve {
namespace {

TEST(MixtureDemandTest, AMixtureIsWorthItWhenItHasCostItsPrice) {
  MixtureDemand demand(10);
  EXPECT_FALSE(demand.Charge("a", 1, 3));
  EXPECT_FALSE(demand.Charge("b", 1, 3));
  EXPECT_FALSE(demand.Charge("a", 1, 3));
  EXPECT_TRUE(demand.Charge("a", 1, 3));
  EXPECT_FALSE(demand.Charge("a", 1, 3)) << "said once, it starts anew";
  EXPECT_FALSE(demand.Charge("b", 1, 3));
}

TEST(MixtureDemandTest, TheOnesAskedForLastAreRemembered) {
  MixtureDemand demand(2);
  demand.Charge("old", 2, 3);
  demand.Charge("kept", 2, 3);
  demand.Charge("kept", 0, 3);
  demand.Charge("new", 2, 3);
  EXPECT_FALSE(demand.Charge("old", 2, 3)) << "forgotten";
  EXPECT_TRUE(demand.Charge("new", 1, 3));
}

}  // namespace
}  // namespace modelpatch::serve
