#include "core/model/encoder_weights.h"

#include <torch/torch.h>

#include <memory>

#include "core/model/image_encoder.h"
#include "core/tensor/trainable_weights.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::model {
namespace {

// bf16 keeps 8 bits of a number: a relative error of 2⁻⁹ a rounding, some of which add up.
constexpr double kTolerance = 0.03;

double RelativeDifference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

VisionConfig TinyResNet() {
  VisionConfig vision;
  vision.image_size = 32;
  vision.width = 8;
  vision.heads = 4;
  vision.stages = {1, 1, 1, 1};
  return vision;
}

TEST(EncoderWeightsTest, Fp32IsTheWeightSetItself) {
  const testing::TinyParts parts = testing::MakeTinyParts();
  const EncoderWeights weights(parts.image_weights, Precision::kFloat32);
  EXPECT_EQ(weights.views()[0].data_ptr(), parts.image_weights.views()[0].data_ptr());
  EXPECT_EQ(weights.bytes(), parts.image_weights.bytes());
  EXPECT_EQ(weights.id(), EncoderWeights(parts.image_weights, Precision::kFloat32).id());
  EXPECT_NE(weights.id(), EncoderWeights(parts.image_weights.Clone(), Precision::kFloat32).id());
}

TEST(EncoderWeightsTest, Bf16HoldsNothingOfTheWeightSetAndAboutHalfOfItsBytes) {
  const testing::TinyParts parts = testing::MakeTinyParts();
  const EncoderWeights weights(parts.image_weights, Precision::kBFloat16);
  EXPECT_LT(weights.bytes(), 0.6 * static_cast<double>(parts.image_weights.bytes()));
  const auto* begin = static_cast<const char*>(parts.image_weights.flat().data_ptr());
  for (const at::Tensor& view : weights.views()) {
    const auto* data = static_cast<const char*>(view.data_ptr());
    EXPECT_TRUE(data < begin || data >= begin + parts.image_weights.bytes());
  }
}

TEST(EncoderWeightsTest, FeaturesAreFp32AndCloseToTheExactOnes) {
  const at::NoGradGuard no_grad;
  at::manual_seed(1);
  const VisionConfig resnet = TinyResNet();
  for (const VisionConfig* vision : {static_cast<const VisionConfig*>(nullptr), &resnet}) {
    const testing::TinyParts parts = testing::MakeTinyParts(1, vision);
    const auto encoder = MakeImageEncoder(parts.files.config.vision, parts.files.config.embedding_width);
    const int64_t size = vision == nullptr ? 16 : 32;
    const at::Tensor pixels = at::randn({3, 3, size, size});
    const at::Tensor exact = encoder->Forward(parts.image_weights.views(), pixels);
    const EncoderWeights rounded(parts.image_weights, Precision::kBFloat16);
    const at::Tensor features = encoder->Forward(rounded.views(), pixels);
    EXPECT_EQ(features.scalar_type(), at::kFloat);
    EXPECT_LT(RelativeDifference(features, exact), kTolerance);
    EXPECT_FALSE(features.equal(exact));
  }
}

TEST(EncoderWeightsTest, GradientsReachTheFp32Weights) {
  at::manual_seed(2);
  const testing::TinyParts parts = testing::MakeTinyParts();
  const auto encoder = MakeImageEncoder(parts.files.config.vision, parts.files.config.embedding_width);
  const at::Tensor pixels = at::randn({4, 3, 16, 16});
  const auto gradient_at = [&](Precision precision) {
    const tensor::TrainableWeights trainable(parts.image_weights.Clone());
    const auto weights = RoundForCompute(trainable.weights().layout(), trainable.parameters(), precision);
    encoder->TrainingForward(weights, pixels).square().sum().backward();
    return trainable.gradient().clone();
  };
  const at::Tensor exact = gradient_at(Precision::kFloat32);
  const at::Tensor rounded = gradient_at(Precision::kBFloat16);
  EXPECT_EQ(rounded.scalar_type(), at::kFloat);
  EXPECT_LT(RelativeDifference(rounded, exact), kTolerance);
  EXPECT_GT(exact.norm().item<double>(), 0);
}

TEST(PrecisionTest, NamesGoBothWays) {
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    ASSERT_OK_AND_ASSIGN(const Precision parsed, ParsePrecision(NameOf(precision)));
    EXPECT_EQ(parsed, precision);
  }
  EXPECT_THAT(ParsePrecision("fp8").status(), testing::FailsWith(absl::StatusCode::kInvalidArgument, "BAD_PRECISION"));
}

}  // namespace
}  // namespace modelpatch::model
