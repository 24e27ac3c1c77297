// The ViT and the text tower against the public implementations' outputs.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/data/preprocess.h"
#include "core/model/clip_model.h"
#include "core/model/encoder_weights.h"
#include "core/model/model_loader.h"
#include "tests/golden/golden_tensors.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch {
namespace {

using testing::ExpectClose;
using testing::GoldenTensors;

// Tolerances of the reference data's README.
constexpr double kFeatures = 2e-5;
constexpr double kResNetFeatures = 2e-4;
constexpr double kNormalized = 2e-6;
constexpr double kLogits = 2e-4;
constexpr double kProbabilities = 2e-5;

// The golden directories of OpenAI and OpenCLIP have no vocabulary of their own; it is the one of a_vit/hf.
absl::StatusOr<std::shared_ptr<const model::ClipModel>> LoadGolden(const std::string& root, const std::string& name,
                                                                   const testing::ScratchDirectory& scratch) {
  for (const std::string& source : {root + "/models/" + name, root + "/models/a_vit/hf"}) {
    for (const auto& entry : std::filesystem::directory_iterator(source)) {
      const std::string file = entry.path().filename().string();
      const bool is_vocabulary = file == "vocab.json" || file == "merges.txt";
      if (source.ends_with(name) || is_vocabulary) {
        std::filesystem::copy_file(entry.path(), scratch.Path(file), std::filesystem::copy_options::skip_existing);
      }
    }
  }
  return model::LoadModel(scratch.path(), tensor::Device(), {});
}

struct ForwardCase {
  const char* model;    // below golden/models
  const char* outputs;  // below golden/forward
};

class ForwardTest : public ::testing::TestWithParam<ForwardCase> {};

TEST_P(ForwardTest, MatchesTheReference) {
  MODELPATCH_TEST_DATA_OR_SKIP(root, "golden");
  const testing::ScratchDirectory scratch;
  ASSERT_OK_AND_ASSIGN(const auto model, LoadGolden(root, GetParam().model, scratch));
  const GoldenTensors expected(root + "/forward/" + GetParam().outputs);
  const GoldenTensors inputs(root + "/forward/a_vit_preprocess.safetensors");
  std::ifstream stream(root + "/forward/forward.json");
  // Ids, not strings: one of the texts needs ftfy, which is a matter of the tokenizer.
  const auto ids = nlohmann::json::parse(stream).at("text_ids").get<std::vector<std::vector<int32_t>>>();

  const at::NoGradGuard no_grad;
  const at::Tensor image_features = model->image_encoder->Forward(model->image_weights.views(), inputs.Get("pixels"));
  const at::Tensor text_features = model->text_encoder->Forward(model->text_weights.views(), ids);
  ExpectClose(image_features, expected.Get("image_features"), kFeatures, "image features");
  ExpectClose(text_features, expected.Get("text_features"), kFeatures, "text features");
  const at::Tensor images = model::NormalizeFeatures(image_features);
  const at::Tensor text = model::NormalizeFeatures(text_features);
  ExpectClose(images, expected.Get("image_features_norm"), kNormalized, "normalised image features");
  ExpectClose(text, expected.Get("text_features_norm"), kNormalized, "normalised text features");
  const at::Tensor logits = at::mm(images, text.t()) * model->logit_scale;
  ExpectClose(logits, expected.Get("logits_per_image"), kLogits, "logits");
  ExpectClose(at::softmax(logits, 1), expected.Get("probs"), kProbabilities, "probabilities");
}

std::string CaseName(const std::string& model) {
  std::string name = model;
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Layouts, ForwardTest,
                         ::testing::Values(ForwardCase{"a_vit/hf", "a_vit.safetensors"},
                                           ForwardCase{"a_vit/openai", "a_vit.safetensors"},
                                           ForwardCase{"a_vit/open_clip", "a_vit.safetensors"},
                                           ForwardCase{"a_vit/hf_fp16", "a_vit_fp16_weights_fp32_compute.safetensors"},
                                           ForwardCase{"a_vit/hf_bf16", "a_vit_bf16_weights_fp32_compute.safetensors"}),
                         [](const auto& info) { return CaseName(info.param.model); });

class ResNetForwardTest : public ::testing::TestWithParam<const char*> {};

// From the image files on: the reference has no preprocessed pixels of this size.
TEST_P(ResNetForwardTest, MatchesTheReference) {
  MODELPATCH_TEST_DATA_OR_SKIP(root, "golden");
  const testing::ScratchDirectory scratch;
  ASSERT_OK_AND_ASSIGN(const auto model, LoadGolden(root, GetParam(), scratch));
  std::ifstream stream(root + "/forward/forward.json");
  const nlohmann::json forward = nlohmann::json::parse(stream);
  const auto files = forward.at("images").get<std::vector<std::string>>();
  const data::ImageSize size = model->preprocess.image_size;
  const at::Tensor pixels = at::empty({static_cast<int64_t>(files.size()), 3, size.height, size.width});
  for (size_t i = 0; i < files.size(); ++i) {
    ASSERT_OK_AND_ASSIGN(const std::string encoded, base::ReadFile(root + "/images/" + files[i], 1 << 26));
    ASSERT_OK_AND_ASSIGN(const data::RgbImage image, data::PreprocessToPixels(encoded, model->preprocess));
    data::NormalizeToPlanar(image.pixels.data(), model->preprocess,
                            pixels.data_ptr<float>() + static_cast<int64_t>(i) * 3 * size.pixels());
  }
  const GoldenTensors expected(root + "/forward/c_rn.safetensors");
  const at::NoGradGuard no_grad;
  const at::Tensor features = model->image_encoder->Forward(model->image_weights.views(), pixels);
  ExpectClose(features, expected.Get("rgbfirst_image_features"), kResNetFeatures, "image features");
  ExpectClose(model::NormalizeFeatures(features), expected.Get("rgbfirst_image_features_norm"), kNormalized,
              "normalised image features");
  const auto ids = forward.at("text_ids").get<std::vector<std::vector<int32_t>>>();
  ExpectClose(model->text_encoder->Forward(model->text_weights.views(), ids), expected.Get("text_features"), kFeatures,
              "text features");
}

INSTANTIATE_TEST_SUITE_P(Layouts, ResNetForwardTest, ::testing::Values("c_rn/openai", "c_rn/open_clip"),
                         [](const auto& info) { return CaseName(info.param); });

// How far bf16 moves the reference's own features is the measure; ours keep more of the forward in fp32.
TEST(ForwardTest, Bf16MatrixProductsMoveTheFeaturesLessThanTheReferences) {
  MODELPATCH_TEST_DATA_OR_SKIP(root, "golden");
  ASSERT_OK_AND_ASSIGN(const auto model, model::LoadModel(root + "/models/a_vit/hf", tensor::Device(), {}));
  const GoldenTensors exact(root + "/forward/a_vit.safetensors");
  const GoldenTensors rounded(root + "/forward/a_vit_bf16_compute_cpu.safetensors");
  const at::NoGradGuard no_grad;
  const model::EncoderWeights weights(model->image_weights, model::Precision::kBFloat16);
  const at::Tensor pixels = GoldenTensors(root + "/forward/a_vit_preprocess.safetensors").Get("pixels");
  const at::Tensor features = model->image_encoder->Forward(weights.views(), pixels);
  const auto compare = [&](const at::Tensor& ours, const char* name) {
    const auto moved = (rounded.Get(name) - exact.Get(name)).abs().max().item<double>();
    ExpectClose(ours, exact.Get(name), moved, name);
    ExpectClose(ours, rounded.Get(name), 2 * moved, name);
  };
  compare(features, "image_features");
  compare(model::NormalizeFeatures(features), "image_features_norm");
}

TEST(ForwardTest, EncodesTextsAsTheReferenceDoes) {
  MODELPATCH_TEST_DATA_OR_SKIP(root, "golden");
  ASSERT_OK_AND_ASSIGN(const auto model, model::LoadModel(root + "/models/a_vit/hf", tensor::Device(), {}));
  std::ifstream stream(root + "/forward/forward.json");
  const nlohmann::json forward = nlohmann::json::parse(stream);
  const at::Tensor expected = GoldenTensors(root + "/forward/a_vit.safetensors").Get("text_features_norm");
  const auto texts = forward.at("texts").get<std::vector<std::string>>();
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].find("，") != std::string::npos) continue;  // a full-width comma, which ftfy replaces
    ASSERT_OK_AND_ASSIGN(const at::Tensor features,
                         model::EncodeTexts(*model, {&texts[i], 1}, /*normalize=*/true, {}, nullptr));
    ExpectClose(features[0], expected[static_cast<int64_t>(i)], kNormalized, texts[i]);
  }
}

TEST(ForwardTest, GradientsDoNotChangeTheOutput) {
  MODELPATCH_TEST_DATA_OR_SKIP(root, "golden");
  ASSERT_OK_AND_ASSIGN(const auto model, model::LoadModel(root + "/models/a_vit/hf", tensor::Device(), {}));
  const at::Tensor pixels = GoldenTensors(root + "/forward/a_vit_preprocess.safetensors").Get("pixels");
  const at::Tensor with = model->image_encoder->Forward(model->image_weights.views(), pixels);
  const at::NoGradGuard no_grad;
  ExpectClose(with, model->image_encoder->Forward(model->image_weights.views(), pixels), 1e-6, "features");
}

}  // namespace
}  // namespace modelpatch
