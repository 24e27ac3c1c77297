#include "core/model/open_clip_config.h"

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;
using nlohmann::json;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// ViT-B-32-quickgelu, as published.
json Published() {
  return json::parse(R"({
    "model_cfg": {
      "embed_dim": 512, "quick_gelu": true,
      "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
      "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}
    },
    "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.1, 0.2, 0.3], "interpolation": "bicubic",
                       "resize_mode": "shortest"}
  })");
}

absl::StatusOr<OpenClipConfig> With(const std::string& pointer, const json& value) {
  json document = Published();
  document[json::json_pointer(pointer)] = value;
  return ParseOpenClipConfig(document.dump());
}

TEST(OpenClipConfigTest, ReadsAPublishedVisionTransformer) {
  ASSERT_OK_AND_ASSIGN(const OpenClipConfig config, ParseOpenClipConfig(Published().dump()));
  const ModelConfig expected = {
      .vision = {.image_size = 224, .patch_size = 32, .width = 768, .layers = 12, .heads = 12, .mlp_width = 3072},
      .text = {.vocabulary_size = 49408,
               .context_length = 77,
               .width = 512,
               .layers = 12,
               .heads = 8,
               .mlp_width = 2048,
               .end_of_text_id = 49407},
      .embedding_width = 512,
      .initial_logit_scale = config.model.initial_logit_scale};
  EXPECT_TRUE(config.model == expected);
  EXPECT_NEAR(config.model.initial_logit_scale, 2.6593, 1e-4);
  EXPECT_EQ(config.preprocess.image_size, 224);
  EXPECT_FLOAT_EQ(config.preprocess.mean[0], 0.5f);
  EXPECT_FLOAT_EQ(config.preprocess.std[2], 0.3f);
}

TEST(OpenClipConfigTest, ReadsAResNet) {
  ASSERT_OK_AND_ASSIGN(const OpenClipConfig config,
                       With("/model_cfg/vision_cfg", json::parse(R"({"image_size": 384, "layers": [6, 8, 18, 8],
                                                                     "width": 96, "patch_size": null})")));
  EXPECT_TRUE(config.model.vision.is_resnet());
  EXPECT_EQ(config.model.vision.stages, (std::vector<int64_t>{6, 8, 18, 8}));
  EXPECT_EQ(config.model.vision.heads, 48);
}

TEST(OpenClipConfigTest, ReadsTheVariantsOfAVisionTransformer) {
  const std::string vision = "/model_cfg/vision_cfg/";
  EXPECT_EQ(With(vision + "image_size", {224, 448})->model.vision.image_size, data::ImageSize(224, 448));
  EXPECT_EQ(With(vision + "image_size", {224, 448})->preprocess.image_size, data::ImageSize(224, 448));
  EXPECT_EQ(With("/model_cfg/quick_gelu", false)->model.vision.activation, Activation::kGelu);
  EXPECT_EQ(With(vision + "head_width", 32)->model.vision.heads, 24);
  EXPECT_EQ(With(vision + "mlp_ratio", 4.9231)->model.vision.mlp_width, 3780);
  EXPECT_FALSE(With(vision + "no_ln_pre", true)->model.vision.pre_norm);
  EXPECT_EQ(With(vision + "pool_type", "avg")->model.vision.pooling, ImagePooling::kMeanOfPatches);
  EXPECT_EQ(With(vision + "global_average_pool", true)->model.vision.pooling, ImagePooling::kMeanOfPatches);
  EXPECT_TRUE(With(vision + "final_ln_after_pool", true)->model.vision.norm_after_pooling);
  EXPECT_TRUE(With(vision + "ls_init_value", 1e-4)->model.vision.layer_scale);
  EXPECT_DOUBLE_EQ(With(vision + "norm_kwargs", {{"eps", 1e-6}})->model.vision.layer_norm_epsilon, 1e-6);
  EXPECT_EQ(With("/model_cfg/text_cfg/pool_type", "last")->model.text.pooling, TextPooling::kLast);
  EXPECT_OK(With(vision + "patch_dropout", 0.5));
  EXPECT_OK(With(vision + "timm_model_name", nullptr));
}

TEST(OpenClipConfigTest, ReadsThePreprocessing) {
  const std::string preprocess = "/preprocess_cfg/";
  EXPECT_EQ(With(preprocess + "resize_mode", "squash")->preprocess.resize_mode, data::ResizeMode::kSquash);
  EXPECT_EQ(With(preprocess + "resize_mode", "longest")->preprocess.resize_mode, data::ResizeMode::kLongest);
  EXPECT_EQ(With(preprocess + "resize_mode", nullptr)->preprocess.resize_mode, data::ResizeMode::kShortest);
  EXPECT_EQ(With(preprocess + "interpolation", "bilinear")->preprocess.filter, data::ResizeFilter::kBilinear);
  EXPECT_EQ(With(preprocess + "interpolation", "random")->preprocess.filter, data::ResizeFilter::kBicubic);
  EXPECT_EQ(With(preprocess + "fill_color", 255)->preprocess.fill_color, 255);
  EXPECT_EQ(With(preprocess + "mean", 0.5)->preprocess.mean, (std::array<float, 3>{0.5f, 0.5f, 0.5f}));
  EXPECT_EQ(With(preprocess + "size", 99)->preprocess.image_size, 224) << "the model's own is what counts";
}

TEST(OpenClipConfigTest, AnUnknownMemberThatMattersIsRefusedByName) {
  for (const char* pointer : {"/model_cfg/vision_cfg/timm_model_name", "/model_cfg/vision_cfg/attentional_pool",
                              "/model_cfg/text_cfg/hf_model_name", "/model_cfg/text_cfg/no_causal_mask",
                              "/model_cfg/multimodal_cfg", "/model_cfg/text_cfg/something_new"}) {
    const absl::Status status = With(pointer, "x").status();
    EXPECT_THAT(status, FailsWith(kInvalid, "MODEL_TYPE_UNSUPPORTED")) << pointer;
    const std::string name = std::string(pointer).substr(std::string(pointer).rfind('/') + 1);
    EXPECT_NE(std::string(status.message()).find(name), std::string::npos) << status.message();
  }
}

TEST(OpenClipConfigTest, MistakesNameTheMember) {
  const auto field_fails = [](const std::string& pointer, const json& value) {
    EXPECT_EQ(With(pointer, value).status().code(), kInvalid) << pointer << " " << value;
  };
  field_fails("/model_cfg", 7);
  field_fails("/model_cfg/vision_cfg", "ViT");
  field_fails("/model_cfg/vision_cfg/image_size", json::array({224, 448, 3}));
  field_fails("/model_cfg/vision_cfg/image_size", json::array({224, 1e300}));
  field_fails("/model_cfg/vision_cfg/image_size", json::array({224, "448"}));
  field_fails("/model_cfg/vision_cfg/image_size", json::array({224, 31}));
  field_fails("/model_cfg/vision_cfg/width", -1);
  field_fails("/model_cfg/vision_cfg/head_width", 0);
  field_fails("/model_cfg/vision_cfg/mlp_ratio", 1e300);
  field_fails("/model_cfg/vision_cfg/layers", json::array({1, 2, 3}));
  field_fails("/model_cfg/vision_cfg/layers", json::array());
  field_fails("/model_cfg/vision_cfg/layers", json::array({1, 2, 3, 1e300}));
  field_fails("/model_cfg/vision_cfg/pool_type", "none at all");
  field_fails("/preprocess_cfg/mean", json::array({0.1}));
  field_fails("/preprocess_cfg/interpolation", "nearest");
  field_fails("/preprocess_cfg/resize_mode", "stretch");
  field_fails("/preprocess_cfg/mode", "L");
  field_fails("/preprocess_cfg/fill_color", 256);
  field_fails("/preprocess_cfg/fill_color", -1);
  json plain = Published();
  plain["model_cfg"]["quick_gelu"] = false;
  plain["model_cfg"]["vision_cfg"]["act_kwargs"] = {{"approximate", 3}};
  EXPECT_THAT(ParseOpenClipConfig(plain.dump()).status(), FailsWith(kInvalid, "MODEL_CONFIG_INVALID"));
  EXPECT_THAT(ParseOpenClipConfig("[]").status(), FailsWith(kInvalid, "MODEL_CONFIG_NOT_JSON"));
  EXPECT_THAT(ParseOpenClipConfig("{}").status(), FailsWith(kInvalid, "MODEL_CONFIG_INVALID"));
}

TEST(OpenClipConfigTest, DeepNestingIsNoWeapon) {
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  for (const char* pointer : {"/preprocess_cfg", "/preprocess_cfg/mean", "/preprocess_cfg/std", "/preprocess_cfg/mode",
                              "/model_cfg/vision_cfg/layers", "/model_cfg/text_cfg/width"}) {
    json document = Published();
    document[json::json_pointer(pointer)] = "DEEP";
    std::string text = document.dump();
    const std::string mark = "\"DEEP\"";
    EXPECT_FALSE(ParseOpenClipConfig(text.replace(text.find(mark), mark.size(), deep)).ok()) << pointer;
  }
}

TEST(OpenClipConfigTest, WhatIsWrittenIsReadBack) {
  OpenClipConfig config = *ParseOpenClipConfig(Published().dump());
  config.model.vision.image_size = config.preprocess.image_size = {224, 448};
  config.model.vision.mlp_width = 3001;
  config.model.vision.heads = 6;
  config.model.vision.layer_scale = config.model.vision.norm_after_pooling = true;
  config.model.vision.pre_norm = false;
  config.model.vision.pooling = ImagePooling::kMeanOfPatches;
  config.model.vision.activation = Activation::kGelu;
  config.model.text.activation = Activation::kGeluTanh;
  config.model.text.pooling = TextPooling::kLast;
  config.model.text.layer_norm_epsilon = 1e-6;
  config.preprocess.resize_mode = data::ResizeMode::kLongest;
  config.preprocess.filter = data::ResizeFilter::kBilinear;
  config.preprocess.fill_color = 127;
  ASSERT_OK_AND_ASSIGN(const std::string written, WriteOpenClipConfig(config));
  ASSERT_OK_AND_ASSIGN(const OpenClipConfig read, ParseOpenClipConfig(written));
  EXPECT_TRUE(read.model == config.model) << written;
  EXPECT_TRUE(read.preprocess == config.preprocess) << written;

  config.preprocess.resize_size = 256;
  EXPECT_THAT(WriteOpenClipConfig(config).status(),
              FailsWith(absl::StatusCode::kFailedPrecondition, "LAYOUT_UNSUPPORTED"));
  config.preprocess.resize_size.reset();
  config.model.text.activation = Activation::kQuickGelu;
  EXPECT_THAT(WriteOpenClipConfig(config).status(),
              FailsWith(absl::StatusCode::kFailedPrecondition, "LAYOUT_UNSUPPORTED"));
}

}  // namespace
}  // namespace modelpatch::model
