#include "core/patch/coefficient_constraints.h"

#include <algorithm>
#include <numeric>

#include "core/base/random.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::patch {
namespace {

using Values = std::vector<double>;

TEST(CoefficientConstraintsTest, ABoxIsClamped) {
  const CoefficientSpace space{2, 1, false};
  EXPECT_EQ(space.Project(Values{-0.5, 1.5}), (Values{0, 1}));
  EXPECT_EQ(space.Project(Values{0.25, 0.75}), (Values{0.25, 0.75}));
  EXPECT_TRUE(space.Contains(Values{1, 1}));
  EXPECT_FALSE(space.Contains(Values{1.1, 0}));
}

TEST(CoefficientConstraintsTest, ASumBeyondOneIsMovedToTheNearestPoint) {
  const CoefficientSpace space{2, 1, true};
  const Values projected = space.Project(Values{0.9, 0.7});
  EXPECT_NEAR(projected[0], 0.6, 1e-12);
  EXPECT_NEAR(projected[1], 0.4, 1e-12);
  EXPECT_EQ(space.Project(Values{2, 0.5}), (Values{1, 0}));
  EXPECT_FALSE(space.Contains(Values{0.9, 0.7}));
}

// The projection of a random point is at least as near as any random point of the space.
TEST(CoefficientConstraintsTest, NoPointOfTheSpaceIsNearer) {
  const CoefficientSpace space{3, 2, true};
  base::RandomStream random(7, "test");
  const auto draw = [&](double low, double high) {
    Values values(space.size());
    for (double& value : values) value = random.Uniform(low, high);
    return values;
  };
  const auto distance = [](const Values& a, const Values& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
  };
  for (int i = 0; i < 200; ++i) {
    const Values point = draw(-1, 2);
    const Values projected = space.Project(point);
    ASSERT_TRUE(space.Contains(projected));
    for (int j = 0; j < 50; ++j) {
      const Values other = draw(0, 0.6);
      if (!space.Contains(other)) continue;
      ASSERT_LE(distance(point, projected), distance(point, other) + 1e-12);
    }
  }
}

TEST(CoefficientConstraintsTest, GroupsAreConstrainedOneByOne) {
  // Checkpoint by checkpoint: group 0 has 0.9 and 0.7, group 1 has 0.2 and 0.3.
  const CoefficientSpace space{2, 2, true};
  const Values projected = space.Project(Values{0.9, 0.2, 0.7, 0.3});
  EXPECT_NEAR(projected[0], 0.6, 1e-12);
  EXPECT_EQ(projected[1], 0.2);
  EXPECT_NEAR(projected[2], 0.4, 1e-12);
  EXPECT_EQ(projected[3], 0.3);
}

TEST(CoefficientConstraintsTest, RoundingStaysInTheSpace) {
  const CoefficientSpace space{3, 1, true};
  const Values rounded = space.Round(Values{0.33336, 0.33336, 0.33328});
  EXPECT_EQ(rounded, (Values{0.3333, 0.3333, 0.3332}));
  EXPECT_EQ(space.Round(Values{0.12346, 0, 0}), (Values{0.1235, 0, 0}));
}

}  // namespace
}  // namespace modelpatch::patch
