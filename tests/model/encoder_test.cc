// The encoders against a plain implementation, and their gradients against finite differences of that implementation.
#include <torch/torch.h>

#include <cmath>

#include "core/model/attention.h"
#include "core/model/clip_model.h"
#include "core/model/mlp.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::model {
namespace {

struct AttentionCase {
  int64_t batch, length, heads, head_width, queries;
  bool causal;
};

at::Tensor PlainAttention(const at::Tensor& projected, const AttentionCase& c) {
  const at::Tensor split = projected.view({c.batch, c.length, 3, c.heads, c.head_width}).permute({2, 0, 3, 1, 4});
  at::Tensor scores = at::matmul(split[0], split[1].transpose(-2, -1)) / std::sqrt(static_cast<double>(c.head_width));
  if (c.causal) scores = scores + at::full({c.length, c.length}, -INFINITY).triu(1);
  const at::Tensor output = at::matmul(at::softmax(scores, -1), split[2]);
  return output.slice(2, 0, c.queries).transpose(1, 2).reshape({c.batch * c.queries, c.heads * c.head_width});
}

TEST(AttentionTest, OutputAndGradientMatchThePlainForm) {
  torch::manual_seed(1);
  for (const AttentionCase& c : {AttentionCase{2, 5, 2, 8, 5, false}, AttentionCase{3, 7, 1, 16, 7, true},
                                 AttentionCase{2, 10, 3, 4, 1, false}, AttentionCase{1, 1, 2, 8, 1, true}}) {
    const at::Tensor projected = torch::randn({c.batch * c.length, 3 * c.heads * c.head_width}).requires_grad_(true);
    const at::Tensor ours = MultiHeadAttention(projected, c.length, c.heads, c.queries, c.causal);
    const at::Tensor plain = PlainAttention(projected, c);
    EXPECT_TRUE(at::allclose(ours, plain, 1e-5, 1e-6));
    const at::Tensor weight = torch::randn_like(plain);
    const at::Tensor our_gradient = torch::autograd::grad({(ours * weight).sum()}, {projected})[0];
    const at::Tensor plain_gradient = torch::autograd::grad({(plain * weight).sum()}, {projected})[0];
    EXPECT_TRUE(at::allclose(our_gradient, plain_gradient, 1e-4, 1e-5));
  }
}

TEST(MlpTest, OutputAndGradientMatchThePlainForm) {
  torch::manual_seed(2);
  const at::Tensor input = torch::randn({6, 8}).requires_grad_(true);
  std::vector<at::Tensor> weights;
  for (const auto& shape : std::vector<std::vector<int64_t>>{{16, 8}, {16}, {8, 16}, {8}}) {
    weights.push_back(torch::randn(shape).requires_grad_(true));
  }
  const auto plain = [&](Activation activation) {
    const at::Tensor hidden = at::linear(input, weights[0], weights[1]);
    const at::Tensor active = activation == Activation::kQuickGelu
                                  ? hidden * at::sigmoid(hidden * 1.702)
                                  : at::gelu(hidden, activation == Activation::kGelu ? "none" : "tanh");
    return at::linear(active, weights[2], weights[3]);
  };
  for (const Activation activation : {Activation::kQuickGelu, Activation::kGelu, Activation::kGeluTanh}) {
    const at::Tensor ours = Mlp(input, weights[0], weights[1], weights[2], weights[3], activation);
    const at::Tensor expected = plain(activation);
    EXPECT_TRUE(at::allclose(ours, expected, 1e-5, 1e-5));
    {
      const at::NoGradGuard no_grad;
      EXPECT_TRUE(
          at::allclose(Mlp(input, weights[0], weights[1], weights[2], weights[3], activation), expected, 1e-5, 1e-5));
    }
    const at::Tensor factor = torch::randn_like(expected);
    const std::vector<at::Tensor> leaves = {input, weights[0], weights[1], weights[2], weights[3]};
    const auto our_gradients = torch::autograd::grad({(ours * factor).sum()}, leaves);
    const auto plain_gradients = torch::autograd::grad({(expected * factor).sum()}, leaves);
    for (size_t i = 0; i < leaves.size(); ++i)
      EXPECT_TRUE(at::allclose(our_gradients[i], plain_gradients[i], 1e-4, 1e-4)) << i;
  }
}

TEST(ImageEncoderTest, ABatchGivesWhatItsImagesGiveAlone) {
  const auto model = testing::MakeTinyModel();
  torch::manual_seed(3);
  const at::NoGradGuard no_grad;
  const at::Tensor pixels = torch::randn({5, 3, 16, 16});
  const at::Tensor together = model->image_encoder->Forward(model->image_weights.views(), pixels);
  for (int64_t i = 0; i < 5; ++i) {
    const at::Tensor alone = model->image_encoder->Forward(model->image_weights.views(), pixels.narrow(0, i, 1));
    EXPECT_TRUE(at::allclose(alone[0], together[i], 1e-4, 1e-5));
  }
}

TEST(ZeroShotHeadTest, IsNormalisedAndIndependentOfOrderAndDuplicates) {
  const auto model = testing::MakeTinyModel();
  const std::vector<ClassPrompts> classes = {{"circle", {"a red circle", "a circle"}}, {"square", {"a blue square"}}};
  ASSERT_OK_AND_ASSIGN(const ZeroShotHead head, MakeZeroShotHead(*model, classes, {}));
  EXPECT_TRUE(at::allclose(head.embeddings->norm(2, 1), torch::ones({2}), 1e-5, 1e-6));
  const std::vector<ClassPrompts> doubled = {{"square", {"a blue square", "a blue square"}},
                                             {"circle", {"a circle", "a red circle"}}};
  ASSERT_OK_AND_ASSIGN(const ZeroShotHead other, MakeZeroShotHead(*model, doubled, {}));
  EXPECT_TRUE(at::allclose((*head.embeddings)[0], (*other.embeddings)[1], 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose((*head.embeddings)[1], (*other.embeddings)[0], 1e-5, 1e-6));
}

TEST(ZeroShotHeadTest, CountsPromptsThatWereCut) {
  const auto model = testing::MakeTinyModel();
  std::string long_prompt;
  for (int i = 0; i < 200; ++i) long_prompt += "circle ";
  const std::vector<ClassPrompts> classes = {{"long", {long_prompt}}, {"short", {"a circle"}}};
  ASSERT_OK_AND_ASSIGN(const ZeroShotHead head, MakeZeroShotHead(*model, classes, {}));
  EXPECT_EQ(head.truncated_prompts, 1);
}

TEST(EncodeTextsTest, ManyTextsGiveWhatEachGivesAlone) {
  const auto model = testing::MakeTinyModel();
  const std::vector<std::string> texts = {"a", "a red circle", "", "the digit seven, drawn", "a red circle"};
  ASSERT_OK_AND_ASSIGN(const at::Tensor together, EncodeTexts(*model, texts, true, {}, nullptr));
  for (size_t i = 0; i < texts.size(); ++i) {
    ASSERT_OK_AND_ASSIGN(const at::Tensor alone, EncodeTexts(*model, {&texts[i], 1}, true, {}, nullptr));
    EXPECT_TRUE(at::allclose(alone[0], together[static_cast<int64_t>(i)], 1e-4, 1e-5)) << texts[i];
  }
}

TEST(EncodeTextsTest, InvalidUtf8NamesTheText) {
  const auto model = testing::MakeTinyModel();
  const std::vector<std::string> texts = {"fine", "\xff"};
  const auto result = EncodeTexts(*model, texts, true, {}, nullptr);
  EXPECT_THAT(result, testing::FailsWith(absl::StatusCode::kInvalidArgument, "TEXT_NOT_UTF8"));
  EXPECT_EQ(base::FieldOf(result.status()).substr(0, 8), "texts[1]");
}

}  // namespace
}  // namespace modelpatch::model
