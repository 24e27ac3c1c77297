// SigLIP: both towers and their gradients against plain ATen operations on the tensors under Hugging Face's names, as
// transformers modeling_siglip.py puts them together; and models that come, leave and come again.
#include <torch/torch.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/file.h"
#include "core/model/model_loader.h"
#include "core/model/model_writer.h"
#include "core/model/source_names.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_siglip.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;
using nlohmann::json;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr double kEpsilon = 1e-6;

// The model's definition, read off the reference and written with the plainest operations.
class PlainSiglip {
 public:
  PlainSiglip() {
    for (const auto& [name, tensor] : testing::TinySiglipTensors()) {
      tensors_[name] = torch::tensor(tensor.values).view(tensor.shape).requires_grad_(true);
    }
  }

  const at::Tensor& operator[](const std::string& name) const { return tensors_.at(name); }

  at::Tensor ImageFeatures(const at::Tensor& pixels) const {
    const std::string tower = "vision_model.";
    at::Tensor x = at::conv2d(pixels, (*this)[tower + "embeddings.patch_embedding.weight"],
                              (*this)[tower + "embeddings.patch_embedding.bias"], /*stride=*/8);
    x = x.flatten(2).transpose(1, 2) + (*this)[tower + "embeddings.position_embedding.weight"];
    x = Norm(Encode(x, tower, /*heads=*/2), tower + "post_layernorm");
    const at::Tensor weight = (*this)[tower + "head.attention.in_proj_weight"];
    const at::Tensor bias = (*this)[tower + "head.attention.in_proj_bias"];
    const int64_t width = x.size(2);
    const at::Tensor probe = (*this)[tower + "head.probe"].repeat({x.size(0), 1, 1});
    const auto project = [&](const at::Tensor& input, int64_t part) {
      return at::linear(input, weight.slice(0, part * width, (part + 1) * width),
                        bias.slice(0, part * width, (part + 1) * width));
    };
    const at::Tensor attended = Attend(project(probe, 0), project(x, 1), project(x, 2), 2);
    const at::Tensor pooled = Linear(attended, tower + "head.attention.out_proj");
    const at::Tensor hidden = at::gelu(Linear(Norm(pooled, tower + "head.layernorm"), tower + "head.mlp.fc1"), "tanh");
    return (pooled + Linear(hidden, tower + "head.mlp.fc2")).select(1, 0);
  }

  // `ids` is int64 [N, 12], padded.
  at::Tensor TextFeatures(const at::Tensor& ids) const {
    const std::string tower = "text_model.";
    const at::Tensor x = at::embedding((*this)[tower + "embeddings.token_embedding.weight"], ids) +
                         (*this)[tower + "embeddings.position_embedding.weight"];
    const at::Tensor normed = Norm(Encode(x, tower, /*heads=*/3), tower + "final_layer_norm");
    return Linear(normed.select(1, -1), tower + "head");
  }

 private:
  at::Tensor Linear(const at::Tensor& x, const std::string& name) const {
    return at::matmul(x, (*this)[name + ".weight"].t()) + (*this)[name + ".bias"];
  }
  at::Tensor Norm(const at::Tensor& x, const std::string& name) const {
    const at::Tensor centered = x - x.mean(-1, true);
    const at::Tensor variance = (centered * centered).mean(-1, true);
    return centered / at::sqrt(variance + kEpsilon) * (*this)[name + ".weight"] + (*this)[name + ".bias"];
  }
  static at::Tensor Attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t heads) {
    const auto split = [&](const at::Tensor& x) {
      return x.reshape({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
    };
    const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(2) / heads));
    const at::Tensor weights = at::softmax(at::matmul(split(q), split(k).transpose(2, 3)) * scale, -1);
    return at::matmul(weights, split(v)).transpose(1, 2).reshape(q.sizes());
  }
  at::Tensor Encode(at::Tensor x, const std::string& tower, int64_t heads) const {
    for (int layer = 0; layer < 2; ++layer) {
      const std::string prefix = tower + "encoder.layers." + std::to_string(layer) + ".";
      const at::Tensor normed = Norm(x, prefix + "layer_norm1");
      const at::Tensor attended =
          Attend(Linear(normed, prefix + "self_attn.q_proj"), Linear(normed, prefix + "self_attn.k_proj"),
                 Linear(normed, prefix + "self_attn.v_proj"), heads);
      x = x + Linear(attended, prefix + "self_attn.out_proj");
      const at::Tensor hidden = at::gelu(Linear(Norm(x, prefix + "layer_norm2"), prefix + "mlp.fc1"), "tanh");
      x = x + Linear(hidden, prefix + "mlp.fc2");
    }
    return x;
  }

  std::map<std::string, at::Tensor> tensors_;
};

class SiglipTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(testing::WriteTinySiglip(directory_)); }

  absl::StatusOr<std::shared_ptr<const ClipModel>> Load(const std::string& directory) {
    return LoadModel(directory, tensor::Device(), {});
  }
  json ReadJson(const std::string& name) { return json::parse(*base::ReadFile(directory_ + "/" + name, 1 << 20)); }

  testing::ScratchDirectory scratch_;
  const std::string directory_ = scratch_.Path("siglip");
};

TEST_F(SiglipTest, ImageFeaturesAndTheirGradientsAreThoseOfThePlainForm) {
  ASSERT_OK_AND_ASSIGN(const auto model, Load(directory_));
  const PlainSiglip plain;
  torch::manual_seed(1);
  const at::Tensor pixels = torch::randn({3, 3, 20, 20});
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& view : model->image_weights.views()) leaves.push_back(view.clone().requires_grad_(true));
  const at::Tensor features = model->image_encoder->TrainingForward(leaves, pixels);
  const at::Tensor expected = plain.ImageFeatures(pixels);
  ASSERT_EQ(features.sizes(), at::IntArrayRef({3, 32}));
  EXPECT_TRUE(at::allclose(features, expected, 1e-4, 1e-5)) << (features - expected).abs().max();
  {
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(
        at::allclose(model->image_encoder->Forward(model->image_weights.views(), pixels), expected, 1e-4, 1e-5));
  }
  const at::Tensor factor = torch::randn_like(expected);
  const auto gradients = torch::autograd::grad({(features * factor).sum()}, leaves);
  for (size_t i = 0; i < leaves.size(); ++i) {
    const std::string& name = model->image_weights.layout().weights()[i].spec.name;
    std::vector<at::Tensor> sources;
    for (const std::string& source : SourceOf(SourceNames::kHuggingFaceSiglip, name).names) {
      sources.push_back(plain[source]);
    }
    const auto parts =
        torch::autograd::grad({(expected * factor).sum()}, sources, {}, /*retain_graph=*/true, /*create_graph=*/false);
    EXPECT_TRUE(at::allclose(gradients[i], at::cat(parts), 1e-3, 1e-4)) << name;
  }
}

TEST_F(SiglipTest, TextFeaturesAreThoseOfThePlainForm) {
  ASSERT_OK_AND_ASSIGN(const auto model, Load(directory_));
  const std::vector<std::string> texts = {"a photo of a red circle", "house",
                                          "a photo of a red circle, a painted horse and the digit"};
  std::vector<bool> truncated;
  ASSERT_OK_AND_ASSIGN(const at::Tensor features, EncodeTexts(*model, texts, /*normalize=*/false, {}, &truncated));
  EXPECT_EQ(truncated, (std::vector<bool>{false, false, true}));
  // Ends of text, id 1, to the end of the context.
  at::Tensor ids = at::ones({3, 12}, at::kLong);
  for (int64_t i = 0; i < 3; ++i) {
    const std::vector<int32_t> tokens = model->tokenizer->Tokenize(texts[static_cast<size_t>(i)])->ids;
    for (size_t k = 0; k < tokens.size(); ++k) ids[i][static_cast<int64_t>(k)] = tokens[k];
  }
  const at::Tensor expected = PlainSiglip().TextFeatures(ids);
  EXPECT_TRUE(at::allclose(features, expected, 1e-4, 1e-5)) << (features - expected).abs().max();
}

TEST_F(SiglipTest, LoadsItsScaleBiasAndPreprocessing) {
  ASSERT_OK_AND_ASSIGN(const auto model, Load(directory_));
  EXPECT_NEAR(model->logit_scale, std::exp(2.5), 1e-4);
  ASSERT_TRUE(model->logit_bias.has_value());
  EXPECT_NEAR(*model->logit_bias, -3.0, 1e-6);
  EXPECT_EQ(model->preprocess.resize_mode, data::ResizeMode::kSquash);
  EXPECT_EQ(model->preprocess.mean[0], 0.5f);
}

TEST_F(SiglipTest, LeavesAsItCame) {
  ASSERT_OK_AND_ASSIGN(const auto model, Load(directory_));
  ASSERT_OK_AND_ASSIGN(const ModelFiles files, FilesOf(*model, directory_));
  const std::string copy = scratch_.Path("copy");
  ASSERT_OK(WriteModel(copy, files, model->image_weights, model->text_weights, std::nullopt));
  const std::string bytes = *base::ReadFile(copy + "/model.safetensors", 1 << 24);
  ASSERT_OK_AND_ASSIGN(const auto header, tensor::ParseSafetensorsHeader(bytes));
  const auto tensors = testing::TinySiglipTensors();
  ASSERT_EQ(header.tensors.size(), tensors.size());
  for (const tensor::TensorInfo& info : header.tensors) {
    const testing::TinyTensor& original = tensors.at(info.name);
    EXPECT_EQ(info.shape, original.shape) << info.name;
    const std::string_view values(reinterpret_cast<const char*>(original.values.data()),
                                  original.values.size() * sizeof(float));
    EXPECT_TRUE(bytes.substr(header.data_offset + info.begin, info.end - info.begin) == values) << info.name;
  }
  EXPECT_EQ(*base::ReadFile(copy + "/tokenizer.json", 1 << 20),
            *base::ReadFile(directory_ + "/tokenizer.json", 1 << 20));
  ASSERT_OK_AND_ASSIGN(const auto again, Load(copy));
  EXPECT_TRUE(again->config == model->config);
  EXPECT_TRUE(again->preprocess == model->preprocess);
  EXPECT_EQ(again->image_weights.Digest(), model->image_weights.Digest());
  EXPECT_EQ(again->text_weights.Digest(), model->text_weights.Digest());
  EXPECT_THAT(WriteOpenClipModel(scratch_.Path("open_clip"), files, model->image_weights, model->text_weights, {}),
              FailsWith(absl::StatusCode::kFailedPrecondition, "LAYOUT_UNSUPPORTED"));
}

TEST_F(SiglipTest, RefusesConfigsThatItsTowersCannotBe) {
  const struct {
    const char* pointer;
    json value;
    const char* reason;
  } cases[] = {
      {"/text_config/projection_size", 48, "MODEL_CONFIG_INVALID"},
      {"/text_config/pad_token_id", 104, "MODEL_CONFIG_INVALID"},
      {"/text_config/vocab_size", 100, "MODEL_VOCABULARY_MISMATCH"},
      {"/text_config/hidden_act", "relu", "MODEL_CONFIG_INVALID"},
      {"/vision_config/vision_use_head", false, "MODEL_CONFIG_INVALID"},
      {"/vision_config/num_attention_heads", 5, "MODEL_CONFIG_INVALID"},
      {"/vision_config/patch_size", 4, "MODEL_TENSORS_MISMATCH"},
      {"/vision_config/image_size", 24, "MODEL_PREPROCESS_MISMATCH"},
      {"/model_type", "siglip2", "MODEL_TYPE_UNSUPPORTED"},
  };
  const json good = ReadJson("config.json");
  for (const auto& [pointer, value, reason] : cases) {
    json config = good;
    config[json::json_pointer(pointer)] = value;
    testing::WriteTestFile(directory_ + "/config.json", config.dump());
    EXPECT_THAT(Load(directory_), FailsWith(kInvalid, reason)) << pointer;
  }
}

TEST_F(SiglipTest, NeedsATokenizerJson) {
  std::filesystem::rename(directory_ + "/tokenizer.json", directory_ + "/spiece.model");
  EXPECT_THAT(Load(directory_), FailsWith(kInvalid, "MODEL_FILE_MISSING"));
}

TEST_F(SiglipTest, IsNotVerified) {
  ASSERT_OK_AND_ASSIGN(const ModelFileNames names, ChooseFilesIn(directory_));
  EXPECT_THAT(CheckFamilyIsVerified(directory_, names),
              FailsWith(absl::StatusCode::kFailedPrecondition, "MODEL_FAMILY_UNVERIFIED"));
}

}  // namespace
}  // namespace modelpatch::model
