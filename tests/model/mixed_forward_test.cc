// A mixed batch against the forward of each sample's materialised mixture.
#include <torch/torch.h>

#include <string>
#include <vector>

#include "core/model/encoder_weights.h"
#include "core/model/image_encoder.h"
#include "core/model/mixed_layers.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using Weights = std::vector<at::Tensor>;

// As promised: of the largest feature.
constexpr double kTolerance = 1e-5;

VisionConfig SmallVision() {
  VisionConfig config;
  config.image_size = {24, 16};
  config.patch_size = 8;
  config.width = 32;
  config.layers = 2;
  config.heads = 4;
  config.mlp_width = 40;
  return config;
}

class MixedForwardTest : public ::testing::Test {
 protected:
  MixedForwardTest() { at::manual_seed(5); }

  // θ of some models that are as different as a model and its fine-tunings are.
  static std::vector<Weights> MakeSources(const ImageEncoder& encoder, size_t count) {
    std::vector<Weights> sources(count);
    for (const tensor::WeightSpec& spec : encoder.WeightSpecs()) {
      const at::Tensor first = at::randn(spec.shape) * 0.2 + (spec.shape.size() == 1 ? 0.5 : 0);
      for (Weights& source : sources) {
        source.push_back(source.data() == sources[0].data() ? first : first + 0.1 * at::randn(spec.shape));
      }
    }
    return sources;
  }

  static MixedBatch BatchOf(const std::vector<Weights>& sources, std::vector<float> coefficients) {
    MixedBatch batch;
    for (const Weights& source : sources) batch.sources.push_back(&source);
    batch.coefficients = std::move(coefficients);
    return batch;
  }

  static at::Tensor Materialised(const ImageEncoder& encoder, const MixedBatch& batch, const at::Tensor& pixels) {
    std::vector<at::Tensor> features;
    const size_t count = batch.sources.size();
    for (int64_t sample = 0; sample < batch.samples(); ++sample) {
      Weights mixture;
      for (size_t weight = 0; weight < batch.sources[0]->size(); ++weight) {
        at::Tensor sum = at::zeros_like((*batch.sources[0])[weight], at::kDouble);
        for (size_t source = 0; source < count; ++source) {
          const double c = batch.coefficients[static_cast<size_t>(sample) * count + source];
          sum += c * (*batch.sources[source])[weight].to(at::kDouble);
        }
        mixture.push_back(sum.to(at::kFloat));
      }
      features.push_back(encoder.Forward(mixture, pixels.narrow(0, sample, 1)));
    }
    return at::cat(features);
  }

  static void ExpectMixtures(const ImageEncoder& encoder, const MixedBatch& batch, const std::string& what) {
    const at::NoGradGuard no_grad;
    const at::Tensor pixels = at::randn({batch.samples(), 3, 24, 16});
    const at::Tensor mixed = encoder.MixedForward(batch, pixels);
    const at::Tensor expected = Materialised(encoder, batch, pixels);
    ASSERT_EQ(mixed.sizes(), expected.sizes()) << what;
    const double difference = (mixed - expected).abs().max().item<double>();
    EXPECT_LE(difference, kTolerance * expected.abs().max().item<double>()) << what;
  }
};

// Interpolations, both ends, two checkpoints at once, one without the base, extrapolation, and nothing at all; samples
// that name the same sources stand apart.
std::vector<float> ManyCoefficients() {
  return {
      0.75F, 0.25F, 0,     //
      1,     0,     0,     //
      0.5F,  0,     0.5F,  //
      0.99F, 0.01F, 0,     //
      0,     1,     0,     //
      0.2F,  0.3F,  0.5F,  //
      0.4F,  0.6F,  0,     //
      -1,    2,     0,     //
      0,     0,     1,     //
      0,     0,     0,     //
  };
}

TEST_F(MixedForwardTest, EverySampleHasItsOwnMixture) {
  for (const Activation activation : {Activation::kQuickGelu, Activation::kGelu, Activation::kGeluTanh}) {
    for (int bits = 0; bits < 16; ++bits) {
      VisionConfig config = SmallVision();
      config.activation = activation;
      config.pre_norm = (bits & 1) != 0;
      config.layer_scale = (bits & 2) != 0;
      config.norm_after_pooling = (bits & 4) != 0;
      config.pooling = (bits & 8) != 0 ? ImagePooling::kMeanOfPatches : ImagePooling::kClassToken;
      const auto encoder = MakeImageEncoder(config, /*embedding_width=*/12);
      ASSERT_TRUE(encoder->can_mix());
      const std::vector<Weights> sources = MakeSources(*encoder, 3);
      ExpectMixtures(*encoder, BatchOf(sources, ManyCoefficients()),
                     std::string(NameOf(activation)) + " variant " + std::to_string(bits));
    }
  }
}

TEST_F(MixedForwardTest, SiglipToo) {
  VisionConfig config = SmallVision();
  config.pre_norm = false;
  config.pooling = ImagePooling::kAttention;
  config.activation = Activation::kGeluTanh;
  const auto encoder = MakeImageEncoder(config, config.width);
  ASSERT_TRUE(encoder->can_mix());
  const std::vector<Weights> sources = MakeSources(*encoder, 3);
  ExpectMixtures(*encoder, BatchOf(sources, ManyCoefficients()), "SigLIP");
}

TEST_F(MixedForwardTest, ThirtyTwoAlphasInOneBatch) {
  const auto encoder = MakeImageEncoder(SmallVision(), 12);
  const std::vector<Weights> sources = MakeSources(*encoder, 2);
  std::vector<float> coefficients;
  for (int i = 0; i < 32; ++i) {
    const float alpha = static_cast<float>(i) / 31;
    coefficients.insert(coefficients.end(), {1 - alpha, alpha});
  }
  ExpectMixtures(*encoder, BatchOf(sources, coefficients), "32 alphas");
}

TEST_F(MixedForwardTest, OneSourceAloneIsItsForward) {
  const at::NoGradGuard no_grad;
  const auto encoder = MakeImageEncoder(SmallVision(), 12);
  const std::vector<Weights> sources = MakeSources(*encoder, 1);
  const at::Tensor pixels = at::randn({3, 3, 24, 16});
  const at::Tensor mixed = encoder->MixedForward(BatchOf(sources, {1, 1, 1}), pixels);
  EXPECT_TRUE(at::allclose(mixed, encoder->Forward(sources[0], pixels), 1e-5, 1e-6));
}

TEST_F(MixedForwardTest, InBf16TheProductsAreRounded) {
  const at::NoGradGuard no_grad;
  const auto encoder = MakeImageEncoder(SmallVision(), 12);
  const auto layout = *tensor::WeightLayout::Make(encoder->WeightSpecs());
  const std::vector<Weights> sources = MakeSources(*encoder, 2);
  const std::vector<Weights> rounded = {RoundForCompute(*layout, sources[0], Precision::kBFloat16),
                                        RoundForCompute(*layout, sources[1], Precision::kBFloat16)};
  const std::vector<float> coefficients = {0.75F, 0.25F, 1, 0, 0.5F, 0.5F};
  const at::Tensor pixels = at::randn({3, 3, 24, 16});
  const at::Tensor exact = encoder->MixedForward(BatchOf(sources, coefficients), pixels);
  const at::Tensor coarse = encoder->MixedForward(BatchOf(rounded, coefficients), pixels);
  EXPECT_EQ(coarse.scalar_type(), at::kFloat);
  EXPECT_LT(((coarse - exact).norm() / exact.norm()).item<double>(), 0.03);
}

TEST_F(MixedForwardTest, AResNetSaysThatItCannot) {
  VisionConfig config;
  config.image_size = 32;
  config.width = 8;
  config.heads = 4;
  config.stages = {1, 1, 1, 1};
  const auto encoder = MakeImageEncoder(config, 12);
  EXPECT_FALSE(encoder->can_mix());
  EXPECT_THROW(encoder->MixedForward({}, at::zeros({1, 3, 32, 32})), c10::Error);
}

}  // namespace
}  // namespace modelpatch::model
