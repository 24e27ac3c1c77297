#include "core/serve/scores.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

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

// Embeddings [C, 8] of length 1, each of `distinct` of them again and again.
at::Tensor Embeddings(int64_t classes, int64_t distinct) {
  const at::Tensor rows = at::sin(at::arange(distinct * 8, at::kFloat)).reshape({distinct, 8});
  const at::Tensor normal = rows / rows.norm(2, -1, true);
  return normal.index_select(0, at::arange(classes, at::kLong).remainder(distinct)).contiguous();
}

at::Tensor Features(int64_t images) { return at::cos(at::arange(images * 8, at::kFloat)).reshape({images, 8}); }

TEST(ScoresTest, TheBestAreTheFirstOfAllAndEqualOnesKeepTheOrderOfTheClasses) {
  constexpr int64_t kClasses = 1000;
  const at::Tensor embeddings = Embeddings(kClasses, 40);
  const auto all = ScoreClasses(Features(2), embeddings, 10.0, std::nullopt, 0);
  for (const auto& scores : all) {
    ASSERT_EQ(scores.size(), static_cast<size_t>(kClasses));
    std::vector<int64_t> seen;
    for (size_t i = 0; i < scores.size(); ++i) {
      seen.push_back(scores[i].class_index);
      if (i == 0) continue;
      EXPECT_TRUE(scores[i - 1].cosine > scores[i].cosine ||
                  (scores[i - 1].cosine == scores[i].cosine && scores[i - 1].class_index < scores[i].class_index));
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
    // Both signs, so that the order does not depend on one.
    EXPECT_GT(scores.front().cosine, 0);
    EXPECT_LT(scores.back().cosine, 0);
  }
  for (const int64_t top_k : {1, 5, 26, 999, 1000, 5000}) {
    for (const bool has_bias : {false, true}) {
      const std::optional<double> bias = has_bias ? std::optional<double>(-3) : std::nullopt;
      const auto whole = ScoreClasses(Features(2), embeddings, 10.0, bias, 0);
      const auto best = ScoreClasses(Features(2), embeddings, 10.0, bias, top_k);
      for (size_t image = 0; image < 2; ++image) {
        ASSERT_EQ(best[image].size(), static_cast<size_t>(std::min(top_k, kClasses)));
        for (size_t i = 0; i < best[image].size(); ++i) {
          EXPECT_EQ(best[image][i].class_index, whole[image][i].class_index);
          EXPECT_EQ(best[image][i].probability, whole[image][i].probability);
          EXPECT_EQ(best[image][i].logit, whole[image][i].logit);
          EXPECT_EQ(best[image][i].cosine, whole[image][i].cosine);
        }
      }
    }
  }
}

TEST(ScoresTest, AFewImagesAndManyHaveTheSameCosines) {
  const at::Tensor embeddings = Embeddings(300, 300);
  const at::Tensor together = Cosines(Features(9), embeddings);
  ASSERT_EQ(together.sizes(), (std::vector<int64_t>{9, 300}));
  for (int64_t image = 0; image < 9; ++image) {
    const at::Tensor alone = Cosines(Features(9).narrow(0, image, 1), embeddings);
    EXPECT_LT((alone[0] - together[image]).abs().max().item<float>(), 1e-6F) << image;
  }
}

TEST(ScoresTest, ScoresThatAreNoNumbersLoseNoClass) {
  // Features of length 0 have no direction.
  const auto scores = ScoreClasses(at::zeros({1, 8}), Embeddings(50, 50), 10.0, std::nullopt, 7)[0];
  ASSERT_EQ(scores.size(), 7u);
  std::set<int64_t> seen;
  for (const ClassScore& score : scores) seen.insert(score.class_index);
  EXPECT_EQ(seen.size(), 7u);
}

}  // namespace
}  // namespace modelpatch::serve
