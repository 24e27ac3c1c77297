#include "core/model/hf_config.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;
using nlohmann::json;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// ViT-B/32, all fields away from their defaults where a test wants it.
ModelConfig SmallConfig() {
  return {.vision = {.image_size = 32,
                     .patch_size = 8,
                     .width = 128,
                     .layers = 3,
                     .heads = 2,
                     .mlp_width = 512,
                     .activation = Activation::kGelu,
                     .layer_norm_epsilon = 1e-6},
          .text = {.vocabulary_size = 1514,
                   .context_length = 33,
                   .width = 64,
                   .layers = 2,
                   .heads = 4,
                   .mlp_width = 256,
                   .activation = Activation::kGeluTanh,
                   .layer_norm_epsilon = 1e-4,
                   .pooling = TextPooling::kFirstEndOfText,
                   .end_of_text_id = 1513},
          .embedding_width = 48,
          .initial_logit_scale = 2.5};
}

TEST(HuggingFaceConfigTest, MissingFieldsHaveThePublishedDefaults) {
  const ModelConfig expected = {
      .vision = {.image_size = 224, .patch_size = 32, .width = 768, .layers = 12, .heads = 12, .mlp_width = 3072},
      .text = {.vocabulary_size = 49408,
               .context_length = 77,
               .width = 512,
               .layers = 12,
               .heads = 8,
               .mlp_width = 2048,
               .pooling = TextPooling::kArgmax,
               .end_of_text_id = 49407},
      .embedding_width = 512,
      .initial_logit_scale = 2.6592};
  for (
      const char* text :
      {R"({"model_type":"clip"})", R"({"model_type":"clip","text_config":{},"vision_config":{}})",
       R"({"model_type":"clip","text_config_dict":null,"vision_config_dict":null,"text_config":{"eos_token_id":2}})"}) {
    ASSERT_OK_AND_ASSIGN(const ModelConfig config, ParseHuggingFaceConfig(text));
    EXPECT_TRUE(config == expected) << text;
  }
}

TEST(HuggingFaceConfigTest, OldDictionariesReplaceTheirSections) {
  // As the published ViT-L/14 has it.
  const std::string text = R"({"model_type":"clip","projection_dim":768,
    "text_config":{"hidden_size":1,"vocab_size":99,"layer_norm_eps":0.5},
    "text_config_dict":{"hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,"num_hidden_layers":12},
    "vision_config_dict":{"hidden_size":1024,"intermediate_size":4096,"num_attention_heads":16,"num_hidden_layers":24,"patch_size":14}})";
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, ParseHuggingFaceConfig(text));
  EXPECT_EQ(config.text.width, 768);
  EXPECT_EQ(config.text.heads, 12);
  EXPECT_EQ(config.vision.width, 1024);
  EXPECT_EQ(config.vision.layers, 24);
  EXPECT_EQ(config.vision.patch_size, 14);
  EXPECT_EQ(config.vision.image_size, 224);
  EXPECT_EQ(config.embedding_width, 768);
  EXPECT_EQ(config.text.vocabulary_size, 49408) << "the dictionary's default, not the section's value";
  EXPECT_EQ(config.text.layer_norm_epsilon, 1e-5);
  ASSERT_OK_AND_ASSIGN(
      const ModelConfig empty,
      ParseHuggingFaceConfig(R"({"model_type":"clip","vision_config":{"patch_size":16},"vision_config_dict":{}})"));
  EXPECT_EQ(empty.vision.patch_size, 32) << "an empty dictionary is one too";
  EXPECT_EQ(base::FieldOf(ParseHuggingFaceConfig(R"({"model_type":"clip","text_config_dict":5})").status()),
            "text_config_dict");
}

TEST(HuggingFaceConfigTest, WhatIsWrittenIsReadBack) {
  ModelConfig config = SmallConfig();
  ASSERT_OK_AND_ASSIGN(const ModelConfig first, ParseHuggingFaceConfig(WriteHuggingFaceConfig(config)));
  EXPECT_TRUE(first == config);
  config.text.pooling = TextPooling::kArgmax;
  config.text.activation = Activation::kQuickGelu;
  ASSERT_OK_AND_ASSIGN(const ModelConfig second, ParseHuggingFaceConfig(WriteHuggingFaceConfig(config)));
  EXPECT_TRUE(second == config);
  EXPECT_EQ(json::parse(WriteHuggingFaceConfig(config))["text_config"]["eos_token_id"], 2);
}

TEST(HuggingFaceConfigTest, RefusesWhatIsNotJson) {
  for (const std::string& text :
       {std::string(), std::string("x"), std::string("[]"), std::string("{"), std::string("{\"a\":\"\xff\"}"),
        std::string("{\"model_type\":\"clip\"}\0", 22), std::string(100'000, '['), std::string((1 << 20) + 1, ' ')}) {
    EXPECT_THAT(ParseHuggingFaceConfig(text), FailsWith(kInvalid, "MODEL_CONFIG_NOT_JSON"));
  }
}

TEST(HuggingFaceConfigTest, RefusesOtherModelTypesByName) {
  const auto other = ParseHuggingFaceConfig(R"({"model_type":"chinese_clip"})");
  EXPECT_THAT(other, FailsWith(kInvalid, "MODEL_TYPE_UNSUPPORTED"));
  EXPECT_THAT(std::string(other.status().message()), ::testing::HasSubstr("chinese_clip"));
  EXPECT_THAT(ParseHuggingFaceConfig("{}"), FailsWith(kInvalid, "MODEL_TYPE_UNSUPPORTED"));
  const std::string nested = std::string(200'000, '[') + std::string(200'000, ']');
  EXPECT_THAT(ParseHuggingFaceConfig(R"({"model_type":)" + nested + "}"),
              FailsWith(kInvalid, "MODEL_TYPE_UNSUPPORTED"));
}

TEST(HuggingFaceConfigTest, RefusesBadFieldsByPath) {
  const json good = json::parse(WriteHuggingFaceConfig(SmallConfig()));
  const auto field_of = [&](const char* pointer, const json& value) {
    json changed = good;
    changed[json::json_pointer(pointer)] = value;
    const auto result = ParseHuggingFaceConfig(changed.dump());
    EXPECT_THAT(result, FailsWith(kInvalid, "MODEL_CONFIG_INVALID")) << pointer << " = " << value;
    return base::FieldOf(result.status());
  };
  EXPECT_EQ(field_of("/vision_config/hidden_size", "768"), "vision_config.hidden_size");
  EXPECT_EQ(field_of("/vision_config/hidden_size", 1.5), "vision_config.hidden_size");
  EXPECT_EQ(field_of("/vision_config/hidden_size", std::numeric_limits<uint64_t>::max()), "vision_config.hidden_size");
  EXPECT_EQ(field_of("/vision_config/hidden_size", 0), "vision.width");
  EXPECT_EQ(field_of("/vision_config/hidden_size", -768), "vision.width");
  EXPECT_EQ(field_of("/vision_config/hidden_size", int64_t{1} << 40), "vision.width");
  EXPECT_EQ(field_of("/vision_config/num_attention_heads", 3), "vision.heads");
  EXPECT_EQ(field_of("/vision_config/num_attention_heads", 0), "vision.heads");
  EXPECT_EQ(field_of("/vision_config/patch_size", 64), "vision.patch_size");
  EXPECT_EQ(field_of("/vision_config/num_channels", 4), "vision_config.num_channels");
  EXPECT_EQ(field_of("/vision_config/hidden_act", "relu"), "vision_config.hidden_act");
  EXPECT_EQ(field_of("/vision_config", 5), "vision_config");
  EXPECT_EQ(field_of("/text_config/layer_norm_eps", 0), "text.layer_norm_epsilon");
  EXPECT_EQ(field_of("/text_config/layer_norm_eps", "x"), "text_config.layer_norm_eps");
  EXPECT_EQ(field_of("/text_config/num_hidden_layers", 1'000'000), "text.layers");
  EXPECT_EQ(field_of("/text_config/eos_token_id", 1514), "text.end_of_text_id");
  EXPECT_EQ(field_of("/text_config/eos_token_id", -1), "text.end_of_text_id");
  EXPECT_EQ(field_of("/text_config/max_position_embeddings", 1), "text.context_length");
  EXPECT_EQ(field_of("/projection_dim", false), "projection_dim");
  EXPECT_EQ(field_of("/projection_dim", 0), "embedding_width");
  EXPECT_EQ(field_of("/logit_scale_init_value", 1e300), "initial_logit_scale");
}

TEST(ModelConfigTest, RefusesNumbersThatAreNoneAndModelsThatAreTooLarge) {
  EXPECT_OK(CheckModelConfig(SmallConfig()));
  ModelConfig config = SmallConfig();
  config.initial_logit_scale = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(CheckModelConfig(config), FailsWith(kInvalid, "MODEL_CONFIG_INVALID"));
  config = SmallConfig();
  config.vision.layer_norm_epsilon = std::numeric_limits<double>::infinity();
  EXPECT_THAT(CheckModelConfig(config), FailsWith(kInvalid, "MODEL_CONFIG_INVALID"));
  config = SmallConfig();
  config.vision.width = config.text.width = 16384;
  config.vision.layers = config.text.layers = 512;
  EXPECT_THAT(CheckModelConfig(config), FailsWith(kInvalid, "MODEL_CONFIG_INVALID")) << "each field alone would do";
  config = SmallConfig();
  config.vision.image_size = 8192;
  config.vision.patch_size = 1;
  EXPECT_THAT(CheckModelConfig(config), FailsWith(kInvalid, "MODEL_CONFIG_INVALID")) << "too many patches";
}

}  // namespace
}  // namespace modelpatch::model
