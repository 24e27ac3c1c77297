#include "core/train/optimizer.h"

#include <torch/torch.h>

#include <cmath>

#include "core/train/schedule.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::train {
namespace {

TEST(ScheduleTest, WarmsUpLinearlyThenFollowsTheCosine) {
  EXPECT_DOUBLE_EQ(LearningRateAt(0, 1.0, 4, 12), 0.25);
  EXPECT_DOUBLE_EQ(LearningRateAt(3, 1.0, 4, 12), 1.0);
  EXPECT_DOUBLE_EQ(LearningRateAt(4, 1.0, 4, 12), 1.0);
  EXPECT_NEAR(LearningRateAt(8, 1.0, 4, 12), 0.5, 1e-12);
  EXPECT_GT(LearningRateAt(11, 1.0, 4, 12), 0.0);
  EXPECT_DOUBLE_EQ(LearningRateAt(0, 2.0, 0, 10), 2.0);
}

TEST(ScheduleTest, TheConstantOneStaysAtTheTop) {
  EXPECT_DOUBLE_EQ(LearningRateAt(1, 1.0, 4, 12, LearningRateSchedule::kConstant), 0.5);
  EXPECT_DOUBLE_EQ(LearningRateAt(4, 1.0, 4, 12, LearningRateSchedule::kConstant), 1.0);
  EXPECT_DOUBLE_EQ(LearningRateAt(11, 1.0, 4, 12, LearningRateSchedule::kConstant), 1.0);
}

TEST(OptimizerTest, ClipFactorOnlyShrinks) {
  EXPECT_DOUBLE_EQ(ClipFactor(0.5, 1.0), 1.0);
  EXPECT_NEAR(ClipFactor(4.0, 1.0), 0.25, 1e-6);
  EXPECT_DOUBLE_EQ(ClipFactor(4.0, 0.0), 1.0);
}

// torch::optim::AdamW, one parameter group per weight, is the reference.
TEST(OptimizerTest, FollowsLibtorchsAdamW) {
  const auto layout = *tensor::WeightLayout::Make({{"a", {33, 7}}, {"b", {5}}});
  const tensor::WeightSet start(layout, tensor::Device());
  torch::manual_seed(1);
  for (at::Tensor view : start.views()) view.copy_(torch::randn(view.sizes()));
  TrainingState state(start);
  std::vector<at::Tensor> reference;
  for (const at::Tensor& view : start.views()) reference.push_back(view.clone().requires_grad_(true));
  torch::optim::AdamW optimizer(reference, torch::optim::AdamWOptions(0.01).weight_decay(0.1));
  for (int step = 0; step < 20; ++step) {
    for (size_t i = 0; i < reference.size(); ++i) {
      const at::Tensor gradient = torch::randn(reference[i].sizes());
      reference[i].mutable_grad() = gradient * 0.5;
      at::Tensor ours = state.weights.parameters()[i].grad();
      ours.copy_(gradient);
    }
    optimizer.step();
    AdamWStep({}, 0.01, /*gradient_factor=*/0.5, state);
  }
  for (size_t i = 0; i < reference.size(); ++i) {
    EXPECT_TRUE(at::allclose(state.weights.weights().views()[i], reference[i], 1e-5, 1e-6)) << i;
  }
  EXPECT_EQ(state.step, 20);
}

TEST(OptimizerTest, BuffersAndPaddingStayAsTheyAre) {
  const auto layout = *tensor::WeightLayout::Make({{"a", {3}}, {"statistics", {4}, /*is_buffer=*/true}});
  const tensor::WeightSet start(layout, tensor::Device());
  for (at::Tensor view : start.views()) view.fill_(2);
  TrainingState state(start);
  at::Tensor gradient = state.weights.parameters()[0].grad();
  gradient.fill_(1);
  AdamWStep({}, 0.1, 1.0, state);
  const at::Tensor& flat = state.weights.weights().flat();
  EXPECT_LT(flat[0].item<float>(), 2);
  EXPECT_EQ(flat.narrow(0, 3, 13).abs().sum().item<float>(), 0);
  EXPECT_TRUE(state.weights.weights().views()[1].eq(2).all().item<bool>());
}

}  // namespace
}  // namespace modelpatch::train
