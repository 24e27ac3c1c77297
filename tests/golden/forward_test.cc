// The ViT and the text tower against the public implementations' outputs.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/model/clip_model.h"
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
constexpr double kNormalized = 2e-6;
constexpr double kLogits = 2e-4;
constexpr double kProbabilities = 2e-5;

struct ForwardCase {
  const char* model;    // below golden/models
  const char* outputs;  // below golden/forward
};

class ForwardTest : public ::testing::TestWithParam<ForwardCase> {};

TEST_P(ForwardTest, MatchesTheReference) {
  MODELPATCH_TEST_DATA_OR_SKIP(root, "golden");
  ASSERT_OK_AND_ASSIGN(const auto model, model::LoadModel(root + "/models/" + GetParam().model, tensor::Device(), {}));
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

INSTANTIATE_TEST_SUITE_P(Layouts, ForwardTest,
                         ::testing::Values(ForwardCase{"a_vit/hf", "a_vit.safetensors"},
                                           ForwardCase{"a_vit/hf_fp16", "a_vit_fp16_weights_fp32_compute.safetensors"},
                                           ForwardCase{"a_vit/hf_bf16", "a_vit_bf16_weights_fp32_compute.safetensors"}),
                         [](const auto& info) {
                           std::string name = info.param.model;
                           std::replace(name.begin(), name.end(), '/', '_');
                           return name;
                         });

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
