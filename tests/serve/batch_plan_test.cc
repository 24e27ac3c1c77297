#include "core/serve/batch_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace modelpatch::serve {
namespace {

using ::testing::ElementsAre;

const int kEncoder = 0;
const int kOtherEncoder = 0;
const int kHalf = 0;
const int kThird = 0;

// Per image 1 ms plain and 1.05 ms a product; a forward of its own costs 0.2 ms, a mixed one 0.5 ms.
constexpr ForwardCosts kCosts{0.0002, 0.001, 0.0005, 0.00105};

BatchCandidate Materialised(const void* weights, int64_t images = 1, size_t sources = 2) {
  return {&kEncoder, 32, weights, sources, images};
}
BatchCandidate Mixable(int64_t images = 1, size_t sources = 2) { return {&kEncoder, 32, nullptr, sources, images}; }

TEST(BatchPlanTest, OneMixtureRunsPlain) {
  const std::vector<BatchCandidate> waiting = {Materialised(&kHalf), Materialised(&kThird), Materialised(&kHalf, 4)};
  const BatchPlan plan = PlanBatch(waiting, kCosts, 64);
  EXPECT_FALSE(plan.is_mixed);
  EXPECT_THAT(plan.chosen, ElementsAre(0, 2));
}

TEST(BatchPlanTest, OneMixtureAloneIsNeverMixed) {
  const std::vector<BatchCandidate> waiting = {Materialised(&kHalf, 1, 1), Materialised(&kHalf, 1, 1)};
  const ForwardCosts costs{0.001, 0.001, 0, 0.0001};
  EXPECT_FALSE(PlanBatch(waiting, costs, 64).is_mixed);
}

TEST(BatchPlanTest, WhatWasNotMaterialisedIsMixedAndLeavesACrowdOfOneMixtureAlone) {
  const std::vector<BatchCandidate> waiting = {Mixable(), Materialised(&kHalf, 10), Mixable(3)};
  const BatchPlan plan = PlanBatch(waiting, kCosts, 64);
  EXPECT_TRUE(plan.is_mixed);
  EXPECT_THAT(plan.chosen, ElementsAre(0, 2));
}

TEST(BatchPlanTest, WhereAForwardIsDearManySmallMixturesAreMixed) {
  // A forward costs as much as ten images: reading the weights is most of it.
  const ForwardCosts costs{0.01, 0.001, 0.02, 0.0011};
  std::vector<int> mixtures(32);
  std::vector<BatchCandidate> waiting;
  for (const int& mixture : mixtures) waiting.push_back(Materialised(&mixture));
  const BatchPlan plan = PlanBatch(waiting, costs, 64);
  EXPECT_TRUE(plan.is_mixed);
  EXPECT_EQ(plan.chosen.size(), 32u);
  // Two of them are not worth a mixed forward.
  EXPECT_FALSE(PlanBatch({waiting.data(), 2}, costs, 64).is_mixed);
  // One that is mixed anyway takes them along.
  const std::vector<BatchCandidate> with_mixable = {waiting[0], Mixable()};
  EXPECT_TRUE(PlanBatch(with_mixable, costs, 64).is_mixed);
}

TEST(BatchPlanTest, ABatchHasAMaximumButALeaderAlwaysRuns) {
  const std::vector<BatchCandidate> waiting = {Mixable(5), Mixable(4), Mixable(2), Mixable(2)};
  EXPECT_THAT(PlanBatch(waiting, kCosts, 7).chosen, ElementsAre(0, 2));
  EXPECT_THAT(PlanBatch(waiting, kCosts, 2).chosen, ElementsAre(0));
}

TEST(BatchPlanTest, EncodersAndSizesAreNeverMixed) {
  std::vector<BatchCandidate> waiting = {Mixable(), Mixable(), Mixable()};
  waiting[1].encoder = &kOtherEncoder;
  waiting[2].image_size = {16, 32};
  EXPECT_THAT(PlanBatch(waiting, kCosts, 64).chosen, ElementsAre(0));
}

TEST(BatchPlanTest, AnEncoderThatCannotMixRunsPlain) {
  const std::vector<BatchCandidate> waiting = {Materialised(&kHalf, 1, 0), Materialised(&kThird, 1, 0)};
  const ForwardCosts costs{1, 0.001, 0, 0.001};
  EXPECT_FALSE(PlanBatch(waiting, costs, 64).is_mixed);
}

}  // namespace
}  // namespace modelpatch::serve
