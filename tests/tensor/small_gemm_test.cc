#include "core/tensor/small_gemm.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace modelpatch::tensor {
namespace {

TEST(SmallGemmTest, MatchesMatmulForEveryTransposition) {
  torch::manual_seed(1);
  for (const int64_t rows : {1, 5, 17}) {
    for (const int64_t columns : {1, 8, 33}) {
      for (const bool transpose_a : {false, true}) {
        for (const bool transpose_b : {false, true}) {
          constexpr int64_t kInner = 12;
          const at::Tensor a = torch::randn({rows, kInner});
          const at::Tensor b = torch::randn({kInner, columns});
          const at::Tensor stored_a = (transpose_a ? a.t() : a).contiguous();
          const at::Tensor stored_b = (transpose_b ? b.t() : b).contiguous();
          // Rows of the result lie further apart than they are long.
          at::Tensor out = torch::full({rows, columns + 3}, 9.0f);
          SmallGemm(rows, columns, kInner, 0.5f, {stored_a.data_ptr<float>(), stored_a.size(1), transpose_a},
                    {stored_b.data_ptr<float>(), stored_b.size(1), transpose_b}, out.data_ptr<float>(), columns + 3);
          EXPECT_TRUE(at::allclose(out.narrow(1, 0, columns), at::mm(a, b) * 0.5, 1e-5, 1e-5));
          EXPECT_TRUE(out.narrow(1, columns, 3).eq(9.0f).all().item<bool>());
        }
      }
    }
  }
}

}  // namespace
}  // namespace modelpatch::tensor
