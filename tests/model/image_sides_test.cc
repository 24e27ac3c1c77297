// Towers for images that are no squares. An image and its mirror along the diagonal are the same to a tower whose
// kernels and positions are mirrored too: neither attention nor a convolution prefers a direction.
#include <torch/torch.h>

#include <string>
#include <vector>

#include "core/model/model_loader.h"
#include "core/model/model_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::model {
namespace {

VisionConfig Transformer() {
  return {.image_size = {24, 40}, .patch_size = 8, .width = 64, .layers = 2, .heads = 1, .mlp_width = 256};
}

VisionConfig ResNet() { return {.image_size = {32, 96}, .width = 8, .heads = 4, .stages = {1, 1, 1, 1}}; }

class ImageSidesTest : public ::testing::TestWithParam<VisionConfig> {
 protected:
  at::Tensor Mirrored(const std::string& name, const at::Tensor& weight) const {
    if (weight.dim() == 4) return weight.transpose(2, 3).contiguous();
    if (!name.ends_with("positional_embedding")) return weight;
    const data::ImageSize grid = config_.grid();
    const at::Tensor cells = weight.slice(0, 1).view({grid.height, grid.width, -1}).transpose(0, 1);
    return at::cat({weight.slice(0, 0, 1), cells.reshape({grid.pixels(), -1})});
  }

  const VisionConfig config_ = GetParam();
  const testing::TinyParts parts_ = testing::MakeTinyParts(1, &config_);
  const testing::ScratchDirectory scratch_;
};

INSTANTIATE_TEST_SUITE_P(Towers, ImageSidesTest, ::testing::Values(Transformer(), ResNet()),
                         [](const auto& info) { return info.param.is_resnet() ? "ResNet" : "Transformer"; });

TEST_P(ImageSidesTest, MirroredWeightsSeeTheMirroredImageAlike) {
  const at::NoGradGuard no_grad;
  torch::manual_seed(1);
  VisionConfig mirrored_config = config_;
  mirrored_config.image_size = {config_.image_size.width, config_.image_size.height};
  const int64_t width = parts_.files.config.embedding_width;
  const auto encoder = MakeImageEncoder(config_, width);
  const auto mirrored_encoder = MakeImageEncoder(mirrored_config, width);
  std::vector<at::Tensor> weights, mirrored_weights;
  for (size_t i = 0; i < parts_.image_weights.views().size(); ++i) {
    const tensor::WeightSpec& spec = parts_.image_weights.layout().weights()[i].spec;
    // Fresh weights have zeros in places, which would hide what they weigh.
    const at::Tensor& fresh = parts_.image_weights.views()[i];
    weights.push_back(spec.is_buffer ? fresh : fresh + torch::randn_like(fresh) * 0.05);
    mirrored_weights.push_back(Mirrored(spec.name, weights.back()));
  }
  const at::Tensor pixels = torch::randn({2, 3, config_.image_size.height, config_.image_size.width});
  const at::Tensor features = encoder->Forward(weights, pixels);
  const at::Tensor mirrored = mirrored_encoder->Forward(mirrored_weights, pixels.transpose(2, 3).contiguous());
  EXPECT_TRUE(at::allclose(features, mirrored, 1e-3, 1e-4)) << (features - mirrored).abs().max();
  const at::Tensor flipped = encoder->Forward(weights, pixels.flip(3));
  EXPECT_FALSE(at::allclose(features, flipped, 1e-3, 1e-4)) << "positions do matter";
}

TEST_P(ImageSidesTest, OpenClipKeepsBothSidesAndHuggingFaceHasOne) {
  const std::string directory = scratch_.Path("open_clip");
  ASSERT_OK(WriteOpenClipModel(directory, parts_.files, parts_.image_weights, parts_.text_weights, std::nullopt));
  ASSERT_OK_AND_ASSIGN(const auto model, LoadModel(directory, tensor::Device(), {}));
  EXPECT_TRUE(model->config.vision == config_);
  EXPECT_EQ(model->preprocess.image_size, config_.image_size);
  EXPECT_EQ(model->image_weights.Digest(), parts_.image_weights.Digest());
  EXPECT_THAT(WriteModel(scratch_.Path("hf"), parts_.files, parts_.image_weights, parts_.text_weights, std::nullopt),
              testing::FailsWith(absl::StatusCode::kFailedPrecondition, "LAYOUT_UNSUPPORTED"));
}

}  // namespace
}  // namespace modelpatch::model
