// The ResNet tower: what training does to its statistics, and which weights it reaches.
#include <torch/torch.h>

#include <string>

#include "core/model/model_loader.h"
#include "core/model/model_writer.h"
#include "core/tensor/safetensors_file.h"
#include "core/tensor/trainable_weights.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::model {
namespace {

VisionConfig TinyResNet() {
  VisionConfig vision;
  vision.image_size = 32;
  vision.width = 8;
  vision.heads = 4;
  vision.stages = {1, 2, 1, 1};
  return vision;
}

class ModifiedResNetTest : public ::testing::Test {
 protected:
  const at::Tensor& Weight(const std::string& name) {
    return parts_.image_weights.views()[static_cast<size_t>(parts_.image_weights.layout().IndexOf(name))];
  }

  const VisionConfig vision_ = TinyResNet();
  const testing::TinyParts parts_ = testing::MakeTinyParts(1, &vision_);
  const std::unique_ptr<ImageEncoder> encoder_ = MakeModifiedResNet(vision_, parts_.files.config.embedding_width);
  const at::Tensor pixels_ = (torch::manual_seed(1), torch::randn({6, 3, 32, 32}));
};

TEST_F(ModifiedResNetTest, InferenceTakesEachImageAloneAndChangesNothing) {
  const at::NoGradGuard no_grad;
  const std::string before = parts_.image_weights.Digest();
  const at::Tensor together = encoder_->Forward(parts_.image_weights.views(), pixels_);
  EXPECT_EQ(together.sizes().vec(), (std::vector<int64_t>{6, parts_.files.config.embedding_width}));
  for (int64_t i = 0; i < pixels_.size(0); ++i) {
    const at::Tensor alone = encoder_->Forward(parts_.image_weights.views(), pixels_.narrow(0, i, 1));
    EXPECT_TRUE(at::allclose(alone[0], together[i], 1e-4, 1e-5)) << i;
  }
  EXPECT_EQ(parts_.image_weights.Digest(), before);
}

TEST_F(ModifiedResNetTest, InferenceAndTheGraphOfAutogradAgree) {
  {
    const at::NoGradGuard no_grad;
    for (int step = 0; step < 3; ++step) {
      encoder_->TrainingForward(parts_.image_weights.views(), at::randn_like(pixels_) * 2 + 1);
    }
  }
  const at::Tensor recorded = encoder_->Forward(parts_.image_weights.views(), pixels_);
  const at::NoGradGuard no_grad;
  const at::Tensor inferred = encoder_->Forward(parts_.image_weights.views(), pixels_);
  EXPECT_TRUE(at::allclose(inferred, recorded, 1e-4, 1e-5)) << (inferred - recorded).abs().max().item<float>();
}

TEST_F(ModifiedResNetTest, TrainingMovesTheRunningStatisticsTowardsTheBatch) {
  const at::NoGradGuard no_grad;
  const at::Tensor first = at::conv2d(pixels_, Weight("visual.conv1.weight"), {}, 2, 1);
  encoder_->TrainingForward(parts_.image_weights.views(), pixels_);
  const at::Tensor mean = first.mean({0, 2, 3});
  const at::Tensor variance = first.var({0, 2, 3}, /*unbiased=*/true);
  EXPECT_TRUE(at::allclose(Weight("visual.bn1.running_mean"), 0.1 * mean, 1e-4, 1e-6));
  EXPECT_TRUE(at::allclose(Weight("visual.bn1.running_var"), 0.9 + 0.1 * variance, 1e-4, 1e-6));
  EXPECT_EQ(Weight("visual.bn1.num_batches_tracked").item<float>(), 1.0f);
  EXPECT_EQ(Weight("visual.layer4.0.downsample.1.num_batches_tracked").item<float>(), 1.0f);
}

TEST_F(ModifiedResNetTest, EveryTrainedWeightHasAGradientAndNoStatisticHas) {
  // The last norm of a fresh block is 0 and would hide what comes before it.
  for (size_t i = 0; i < parts_.image_weights.views().size(); ++i) {
    const std::string& name = parts_.image_weights.layout().weights()[i].spec.name;
    if (name.ends_with("bn3.weight")) at::Tensor(parts_.image_weights.views()[i]).fill_(1.0);
  }
  const tensor::TrainableWeights trainable(parts_.image_weights);
  const at::Tensor features = encoder_->TrainingForward(trainable.parameters(), pixels_);
  (features * torch::randn_like(features)).sum().backward();
  for (size_t i = 0; i < trainable.parameters().size(); ++i) {
    const tensor::WeightSpec& spec = parts_.image_weights.layout().weights()[i].spec;
    // Adding the same to all keys changes no attention: the true gradient of this bias is 0.
    if (spec.name == "visual.attnpool.k_proj.bias") continue;
    const at::Tensor gradient = trainable.parameters()[i].grad();
    EXPECT_EQ(gradient.defined() && gradient.abs().max().item<float>() > 0, !spec.is_buffer) << spec.name;
  }
}

TEST_F(ModifiedResNetTest, CountersStayIntegersInAFile) {
  at::Tensor(Weight("visual.bn1.num_batches_tracked")).fill_(12345.75);
  const testing::ScratchDirectory scratch;
  const std::string directory = scratch.Path("model");
  ASSERT_OK(
      WriteOpenClipModel(directory, parts_.files, parts_.image_weights, parts_.text_weights, tensor::DType::kFloat16));
  ASSERT_OK_AND_ASSIGN(const auto file, tensor::SafetensorsFile::Open(directory + "/open_clip_model.safetensors"));
  const tensor::TensorInfo* info = file.header().Find("visual.bn1.num_batches_tracked");
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->dtype, tensor::DType::kInt64);
  EXPECT_EQ(file.View(*info).item<int64_t>(), 12345) << "truncated, as the reference does";
  ASSERT_OK_AND_ASSIGN(const auto model, LoadModel(directory, tensor::Device(), {}));
  EXPECT_TRUE(model->config.vision == vision_);
}

}  // namespace
}  // namespace modelpatch::model
