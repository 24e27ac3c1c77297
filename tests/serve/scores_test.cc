#include "core/serve/scores.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace modelpatch::serve {
namespace {

// Two classes at right angles, and an image at 60° from the first.
struct Geometry {
  const at::Tensor embeddings = torch::tensor({{1.0f, 0.0f}, {0.0f, 1.0f}});
  const at::Tensor features = torch::tensor({{1.0f, std::sqrt(3.0f)}});
};

TEST(ScoresTest, WithoutABiasTheClassesShareOneProbability) {
  const Geometry geometry;
  const auto scores = ScoreClasses(geometry.features, geometry.embeddings, 10.0, std::nullopt, 0)[0];
  ASSERT_EQ(scores.size(), 2u);
  EXPECT_EQ(scores[0].class_index, 1);
  EXPECT_NEAR(scores[1].cosine, 0.5, 1e-6);
  EXPECT_NEAR(scores[1].logit, 5.0, 1e-5);
  EXPECT_NEAR(scores[0].probability + scores[1].probability, 1.0, 1e-6);
}

TEST(ScoresTest, WithABiasEachClassHasItsOwn) {
  const Geometry geometry;
  const auto scores = ScoreClasses(geometry.features, geometry.embeddings, 10.0, -7.0, 0)[0];
  ASSERT_EQ(scores.size(), 2u);
  EXPECT_EQ(scores[0].class_index, 1);
  EXPECT_NEAR(scores[0].logit, 5.0 * std::sqrt(3.0) - 7.0, 1e-4);
  EXPECT_NEAR(scores[0].probability, 1.0 / (1.0 + std::exp(7.0 - 5.0 * std::sqrt(3.0))), 1e-5);
  EXPECT_NEAR(scores[1].logit, -2.0, 1e-5);
  EXPECT_NEAR(scores[1].probability, 1.0 / (1.0 + std::exp(2.0)), 1e-6);
}

}  // namespace
}  // namespace modelpatch::serve
