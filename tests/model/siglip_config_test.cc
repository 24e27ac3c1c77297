#include "core/model/siglip_config.h"

#include <string>

#include "core/model/hf_config.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(SiglipConfigTest, MissingFieldsHaveThePublishedDefaults) {
  // As siglip-base-patch16-224 is published: its sections say nothing but their types.
  const std::string text = R"({"architectures":["SiglipModel"],"initializer_factor":1.0,"model_type":"siglip",
    "text_config":{"model_type":"siglip_text_model"},"vision_config":{"model_type":"siglip_vision_model"}})";
  const ModelConfig expected = {.vision = {.image_size = 224,
                                           .patch_size = 16,
                                           .width = 768,
                                           .layers = 12,
                                           .heads = 12,
                                           .mlp_width = 3072,
                                           .activation = Activation::kGeluTanh,
                                           .layer_norm_epsilon = 1e-6,
                                           .pre_norm = false,
                                           .pooling = ImagePooling::kAttention},
                                .text = {.vocabulary_size = 32000,
                                         .context_length = 64,
                                         .width = 768,
                                         .layers = 12,
                                         .heads = 12,
                                         .mlp_width = 3072,
                                         .activation = Activation::kGeluTanh,
                                         .layer_norm_epsilon = 1e-6,
                                         .pooling = TextPooling::kLast,
                                         .end_of_text_id = 1,
                                         .is_siglip = true,
                                         .padding_id = 1},
                                .embedding_width = 768};
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, ParseHuggingFaceConfig(text));
  EXPECT_TRUE(config == expected);
  ASSERT_OK_AND_ASSIGN(const ModelConfig again, ParseHuggingFaceConfig(WriteHuggingFaceConfig(config)));
  EXPECT_TRUE(again == config);
}

TEST(SiglipConfigTest, TheShapeOptimisedModel) {
  // so400m-patch14-384: patches that do not divide the image, and heads that are not 64 wide.
  const std::string text = R"({"model_type":"siglip",
    "text_config":{"hidden_size":1152,"intermediate_size":4304,"num_attention_heads":16,"num_hidden_layers":27},
    "vision_config":{"hidden_size":1152,"image_size":384,"intermediate_size":4304,"num_attention_heads":16,
                     "num_hidden_layers":27,"patch_size":14}})";
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, ParseHuggingFaceConfig(text));
  EXPECT_EQ(config.embedding_width, 1152);
  EXPECT_EQ(config.text.mlp_width, 4304);
  EXPECT_EQ(config.vision.heads, 16);
}

TEST(SiglipConfigTest, TheTowersComeTogether) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig good, ParseHuggingFaceConfig(R"({"model_type":"siglip"})"));
  ModelConfig config = good;
  config.text.is_siglip = false;
  EXPECT_THAT(CheckModelConfig(config), FailsWith(kInvalid, "MODEL_CONFIG_INVALID"));
  config = good;
  config.vision.pooling = ImagePooling::kClassToken;
  EXPECT_THAT(CheckModelConfig(config), FailsWith(kInvalid, "MODEL_CONFIG_INVALID"));
  config = good;
  config.embedding_width = 512;
  EXPECT_THAT(CheckModelConfig(config), FailsWith(kInvalid, "MODEL_CONFIG_INVALID"));
}

}  // namespace
}  // namespace modelpatch::model
