#include "core/train/fisher.h"

#include <torch/torch.h>

#include <cmath>

#include "core/data/task.h"
#include "core/train/training_tasks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::train {
namespace {

using ::modelpatch::testing::FailsWith;

tensor::WeightSet LinearWeights() {
  const tensor::WeightSet weights(*tensor::WeightLayout::Make({{"w", {3, 4}}, {"unused", {2}}}), tensor::Device());
  at::Tensor w = weights.views()[0];
  w.copy_(torch::tensor({1.0f, 0.0f, -1.0f, 0.5f, 0.2f, 0.3f, 0.4f, 0.5f, -0.5f, 0.0f, 0.5f, 1.0f}).view({3, 4}));
  return weights;
}

// Logits x·Wᵀ of one input; by the closed form E (p − 1[y])² x² = p(1 − p)·x².
TEST(FisherTest, OfALinearSoftmaxIsTheClosedForm) {
  const tensor::WeightSet weights = LinearWeights();
  const at::Tensor x = torch::tensor({{1.0f, -2.0f, 0.5f, 3.0f}});
  const auto logits = [&](int64_t, const std::vector<at::Tensor>& leaves) -> absl::StatusOr<at::Tensor> {
    return at::mm(x, leaves[0].t());
  };
  ASSERT_OK_AND_ASSIGN(const tensor::WeightSet fisher, EstimateFisher(weights, logits, 4000, /*seed=*/1, {}));
  const at::Tensor p = at::softmax(at::mm(x, weights.views()[0].t()), 1)[0];
  const at::Tensor expected = (p * (1 - p)).unsqueeze(1) * x.square();
  EXPECT_TRUE(at::allclose(fisher.views()[0], expected, /*rtol=*/0.05, /*atol=*/0.02)) << fisher.views()[0] << "\n"
                                                                                       << expected;
  EXPECT_EQ(fisher.views()[1].abs().sum().item<float>(), 0);
}

TEST(FisherTest, TheSeedDecidesEveryBit) {
  const tensor::WeightSet weights = LinearWeights();
  const auto logits = [&](int64_t index, const std::vector<at::Tensor>& leaves) -> absl::StatusOr<at::Tensor> {
    return at::mm(torch::full({1, 4}, static_cast<double>(index % 3)), leaves[0].t());
  };
  ASSERT_OK_AND_ASSIGN(const tensor::WeightSet first, EstimateFisher(weights, logits, 20, 1, {}));
  ASSERT_OK_AND_ASSIGN(const tensor::WeightSet again, EstimateFisher(weights, logits, 20, 1, {}));
  ASSERT_OK_AND_ASSIGN(const tensor::WeightSet other, EstimateFisher(weights, logits, 20, 2, {}));
  EXPECT_TRUE(at::equal(first.flat(), again.flat()));
  EXPECT_FALSE(at::equal(first.flat(), other.flat()));
}

TEST(FisherTest, AClassThatIsNoCandidateIsNeverDrawnAndHasNoInformation) {
  const tensor::WeightSet weights = LinearWeights();
  const at::Tensor x = torch::ones({1, 4});
  const auto logits = [&](int64_t, const std::vector<at::Tensor>& leaves) -> absl::StatusOr<at::Tensor> {
    return at::mm(x, leaves[0].t()).masked_fill(torch::tensor({{true, false, false}}), -HUGE_VAL);
  };
  ASSERT_OK_AND_ASSIGN(const tensor::WeightSet fisher, EstimateFisher(weights, logits, 50, 1, {}));
  EXPECT_EQ(fisher.views()[0][0].abs().sum().item<float>(), 0);
  EXPECT_GT(fisher.views()[0][1].sum().item<float>(), 0);
}

TEST(FisherTest, WhatIsNoNumberAndCancellationAreErrors) {
  const tensor::WeightSet weights = LinearWeights();
  const auto nan = [&](int64_t, const std::vector<at::Tensor>& leaves) -> absl::StatusOr<at::Tensor> {
    return at::mm(torch::full({1, 4}, std::nan("")), leaves[0].t());
  };
  EXPECT_THAT(EstimateFisher(weights, nan, 1, 1, {}),
              FailsWith(absl::StatusCode::kFailedPrecondition, "TRAINING_DIVERGED"));
  base::CancellationSource source;
  source.Cancel();
  EXPECT_EQ(EstimateFisher(weights, nan, 1, 1, source.token()).status().code(), absl::StatusCode::kCancelled);
}

TEST(TaskFisherTest, LooksAtTheExamplesThatThereAreAndLeavesTheWeightsAlone) {
  const auto model = testing::MakeTinyModel();
  data::TaskSource source;
  source.format = "generator";
  source.generator = "digits";
  source.generated_train = 12;
  source.generated_validation = 2;
  ASSERT_OK_AND_ASSIGN(const data::Task task, data::OpenTask("digits", source));
  ASSERT_OK_AND_ASSIGN(const auto prompts, PromptsOf({task}));
  ASSERT_OK_AND_ASSIGN(const model::ZeroShotHead head, model::MakeZeroShotHead(*model, prompts, {}));
  const std::string before = model->image_weights.Digest();
  FisherOptions options;
  options.examples = 12;
  ASSERT_OK_AND_ASSIGN(const tensor::WeightSet fisher,
                       EstimateTaskFisher(*model, model->image_weights, head, task.train, options, {}));
  EXPECT_EQ(model->image_weights.Digest(), before);
  EXPECT_GE(fisher.flat().min().item<float>(), 0);
  EXPECT_GT(fisher.flat().sum().item<float>(), 0);
  options.examples = 1000;
  ASSERT_OK_AND_ASSIGN(const tensor::WeightSet all,
                       EstimateTaskFisher(*model, model->image_weights, head, task.train, options, {}));
  EXPECT_TRUE(at::equal(fisher.flat(), all.flat()));
}

}  // namespace
}  // namespace modelpatch::train
