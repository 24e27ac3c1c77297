#include "core/patch/proxy_choice.h"

#include <gtest/gtest.h>

namespace modelpatch::patch {
namespace {

AlphaAccuracies Point(double alpha, int64_t patching, int64_t shapes, int64_t colors) {
  const auto split = data::Split::kValidation;
  return {alpha,
          {{"digits", TaskRole::kPatching, split, patching, 1000},
           {"shapes", TaskRole::kSupported, split, shapes, 1000},
           {"colors", TaskRole::kSupported, split, colors, 1000}}};
}

TEST(ProxyChoiceTest, CostsWhatAnotherTasksChoiceLoses) {
  // Shapes bear α = 1, colors only α = 0.5.
  const std::vector<AlphaAccuracies> points = {Point(0, 300, 900, 800), Point(0.5, 700, 890, 790),
                                               Point(1, 900, 880, 500)};
  const std::vector<ProxyChoice> choices = ComputeProxyChoices(points);
  ASSERT_EQ(choices.size(), 2u);
  EXPECT_EQ(choices[0].chosen_by, "shapes");
  EXPECT_EQ(choices[0].evaluated_on, "colors");
  EXPECT_EQ(choices[0].alpha, 1);
  EXPECT_DOUBLE_EQ(choices[0].accuracy, 0.5);
  EXPECT_NEAR(choices[0].cost, (0.7 + 0.79) / 2 - (0.9 + 0.5) / 2, 1e-12);
  EXPECT_EQ(choices[1].chosen_by, "colors");
  EXPECT_EQ(choices[1].evaluated_on, "shapes");
  EXPECT_EQ(choices[1].alpha, 0.5);
  EXPECT_DOUBLE_EQ(choices[1].accuracy, 0.89);
  EXPECT_NEAR(choices[1].cost, (0.9 + 0.88) / 2 - (0.7 + 0.89) / 2, 1e-12);
}

TEST(ProxyChoiceTest, TasksThatAgreeCostNothing) {
  const std::vector<AlphaAccuracies> points = {Point(0, 300, 900, 900), Point(0.5, 700, 890, 890),
                                               Point(1, 800, 300, 300)};
  for (const ProxyChoice& choice : ComputeProxyChoices(points)) {
    EXPECT_EQ(choice.alpha, 0.5);
    EXPECT_EQ(choice.cost, 0);
  }
}

TEST(ProxyChoiceTest, NeedsTwoSupportedTasks) {
  EXPECT_TRUE(ComputeProxyChoices({}).empty());
  AlphaAccuracies point = Point(0, 300, 900, 800);
  point.accuracies.pop_back();
  EXPECT_TRUE(ComputeProxyChoices(std::vector<AlphaAccuracies>{point}).empty());
}

}  // namespace
}  // namespace modelpatch::patch
