#include "core/tensor/compat.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>

namespace modelpatch::tensor {
namespace {

at::Tensor Plain(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, bool causal) {
  at::Tensor scores = at::matmul(query, key.transpose(-2, -1)) / std::sqrt(static_cast<double>(query.size(-1)));
  if (causal) scores = scores + at::full({query.size(2), key.size(2)}, -INFINITY).triu(1);
  return at::matmul(at::softmax(scores, -1), value);
}

TEST(ScaledDotProductAttentionTest, FewerQueriesThanKeysOverMemoryThatHeldNaN) {
  torch::manual_seed(1);
  for (int round = 0; round < 20; ++round) {
    for (const bool causal : {false, true}) {
      for (const int64_t queries : {1, 3, 5}) {
        const at::Tensor key = torch::randn({2, 3, 5, 4});
        const at::Tensor value = torch::randn({2, 3, 5, 4});
        const at::Tensor query = torch::randn({2, 3, queries, 4});
        const at::Tensor expected = Plain(query, key, value, causal);
        // Freed at once, to be the scores' memory.
        at::full({6, queries, 5}, std::numeric_limits<double>::quiet_NaN(), at::kFloat);
        EXPECT_TRUE(at::allclose(ScaledDotProductAttention(query, key, value, causal), expected, 1e-4, 1e-5));
      }
    }
  }
}

}  // namespace
}  // namespace modelpatch::tensor
