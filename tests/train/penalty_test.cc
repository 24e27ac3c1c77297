#include "core/train/penalty.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

namespace modelpatch::train {
namespace {

// More than is handled at a time, and no multiple of it.
constexpr int64_t kSize = (int64_t{1} << 20) + 1234;

// autograd of the formula is the independent computation.
void ExpectFormula(double weight, const at::Tensor* importance) {
  torch::manual_seed(5);
  const at::Tensor start = torch::randn({kSize});
  const at::Tensor theta = (start + 0.1 * torch::randn({kSize})).requires_grad_(true);
  at::Tensor square = (theta - start).square();
  if (importance != nullptr) square = square * *importance;
  const at::Tensor expected = 0.5 * weight * square.sum(at::kDouble);
  const at::Tensor gradient = torch::full({kSize}, 2.0);
  const double value = AddQuadraticPenalty(weight, theta.detach(), start, importance, gradient);
  EXPECT_NEAR(value, expected.item<double>(), 1e-4 * value);
  EXPECT_TRUE(at::allclose(gradient - 2, torch::autograd::grad({expected}, {theta})[0], 1e-4, 1e-5));
}

TEST(PenaltyTest, FollowsTheFormula) { ExpectFormula(0.7, nullptr); }

TEST(PenaltyTest, WeighsWhatIsImportant) {
  torch::manual_seed(6);
  const at::Tensor importance = torch::rand({kSize});
  ExpectFormula(3.0, &importance);
}

TEST(PenaltyTest, IsNothingAtTheStart) {
  const at::Tensor theta = torch::ones({5});
  const at::Tensor gradient = torch::zeros({5});
  EXPECT_EQ(AddQuadraticPenalty(10, theta, theta.clone(), nullptr, gradient), 0);
  EXPECT_EQ(gradient.abs().sum().item<float>(), 0);
}

}  // namespace
}  // namespace modelpatch::train
