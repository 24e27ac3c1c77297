#include "core/train/training_loss.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <numeric>

namespace modelpatch::train {
namespace {

using Candidates = std::vector<std::vector<int32_t>>;

at::Tensor Logits(int64_t rows, int64_t columns) {
  torch::manual_seed(3);
  return torch::randn({rows, columns}).requires_grad_(true);
}

at::Tensor TorchLoss(const at::Tensor& logits, const std::vector<int32_t>& labels, double smoothing) {
  return torch::nn::functional::cross_entropy(
      logits, torch::tensor(labels, at::kLong),
      torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(smoothing));
}

TEST(ClassificationLossTest, IsTorchsWithAndWithoutSmoothing) {
  const std::vector<int32_t> labels = {1, 4, 0};
  const Candidates all(3, {0, 1, 2, 3, 4});
  for (const double smoothing : {0.0, 0.3}) {
    const at::Tensor logits = Logits(3, 5);
    const double expected = TorchLoss(logits, labels, smoothing).item<double>();
    EXPECT_NEAR(ClassificationLoss(logits, labels, {}, smoothing).item<double>(), expected, 1e-6);
    EXPECT_NEAR(ClassificationLoss(logits, labels, all, smoothing).item<double>(), expected, 1e-6);
  }
}

TEST(ClassificationLossTest, AllClassesAsCandidatesChangeNoBit) {
  const at::Tensor logits = Logits(2, 4);
  const std::vector<int32_t> labels = {3, 1};
  const Candidates all(2, {0, 1, 2, 3});
  const at::Tensor without = ClassificationLoss(logits, labels, {}, 0);
  const at::Tensor with = ClassificationLoss(logits, labels, all, 0);
  EXPECT_TRUE(at::equal(without, with));
  EXPECT_TRUE(at::equal(torch::autograd::grad({without}, {logits})[0], torch::autograd::grad({with}, {logits})[0]));
}

// Each example alone, with the columns of its candidates, is the independent computation.
TEST(ClassificationLossTest, ClassesThatAreNoCandidatesDoNotExist) {
  const std::vector<int32_t> labels = {2, 0, 5};
  const Candidates candidates = {{1, 2}, {}, {0, 4, 5}};
  for (const double smoothing : {0.0, 0.2}) {
    const at::Tensor logits = Logits(3, 6);
    const at::Tensor loss = ClassificationLoss(logits, labels, candidates, smoothing);
    const double expected =
        (TorchLoss(logits.narrow(0, 0, 1).index_select(1, torch::tensor({1, 2})), {1}, smoothing) +
         TorchLoss(logits.narrow(0, 1, 1), {0}, smoothing) +
         TorchLoss(logits.narrow(0, 2, 1).index_select(1, torch::tensor({0, 4, 5})), {2}, smoothing))
            .item<double>() /
        3;
    EXPECT_NEAR(loss.item<double>(), expected, 1e-6) << smoothing;
    const at::Tensor gradient = torch::autograd::grad({loss}, {logits})[0];
    EXPECT_TRUE(at::isfinite(gradient).all().item<bool>());
    EXPECT_EQ(gradient[0][0].item<float>(), 0);
    EXPECT_EQ(gradient[2][3].item<float>(), 0);
    EXPECT_NE(gradient[0][1].item<float>(), 0);
  }
}

TEST(ContrastiveLossTest, OfDifferentTextsIsClips) {
  const at::Tensor logits = Logits(4, 4);
  std::vector<int32_t> own(4);
  std::iota(own.begin(), own.end(), 0);
  const double expected = (TorchLoss(logits, own, 0) + TorchLoss(logits.t(), own, 0)).item<double>() / 2;
  EXPECT_NEAR(ContrastiveLoss(logits, std::vector<int64_t>{0, 1, 2, 3}).item<double>(), expected, 1e-6);
}

TEST(ContrastiveLossTest, ImagesOfOneTextAreAllItsPositives) {
  const at::Tensor logits = Logits(3, 2);
  const std::vector<int64_t> text_of = {1, 0, 1};
  const at::Tensor by_image = at::log_softmax(logits, 1);
  const at::Tensor by_text = at::log_softmax(logits, 0);
  const double image_loss = -(by_image[0][1] + by_image[1][0] + by_image[2][1]).item<double>() / 3;
  const double text_loss = -(by_text[1][0] + (by_text[0][1] + by_text[2][1]) / 2).item<double>() / 2;
  EXPECT_NEAR(ContrastiveLoss(logits, text_of).item<double>(), (image_loss + text_loss) / 2, 1e-6);
}

}  // namespace
}  // namespace modelpatch::train
