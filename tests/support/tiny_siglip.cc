#include "tests/support/tiny_siglip.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/base/random.h"
#include "core/tensor/safetensors_header.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::testing {
namespace {

using nlohmann::json;

constexpr int64_t kImageSize = 20;
constexpr int64_t kPatch = 8;
constexpr int64_t kGrid = kImageSize / kPatch;
constexpr int64_t kVisionWidth = 32;
constexpr int64_t kVisionMlp = 80;
constexpr int64_t kTextWidth = 48;
constexpr int64_t kTextMlp = 96;
constexpr int64_t kContext = 12;
constexpr int64_t kVocabulary = 104;
constexpr int64_t kLayers = 2;

std::map<std::string, std::vector<int64_t>> Shapes() {
  std::map<std::string, std::vector<int64_t>> shapes = {
      {"logit_scale", {1}},
      {"logit_bias", {1}},
      {"text_model.embeddings.token_embedding.weight", {kVocabulary, kTextWidth}},
      {"text_model.embeddings.position_embedding.weight", {kContext, kTextWidth}},
      {"text_model.final_layer_norm.weight", {kTextWidth}},
      {"text_model.final_layer_norm.bias", {kTextWidth}},
      {"text_model.head.weight", {kVisionWidth, kTextWidth}},
      {"text_model.head.bias", {kVisionWidth}},
      {"vision_model.embeddings.patch_embedding.weight", {kVisionWidth, 3, kPatch, kPatch}},
      {"vision_model.embeddings.patch_embedding.bias", {kVisionWidth}},
      {"vision_model.embeddings.position_embedding.weight", {kGrid * kGrid, kVisionWidth}},
      {"vision_model.post_layernorm.weight", {kVisionWidth}},
      {"vision_model.post_layernorm.bias", {kVisionWidth}},
      {"vision_model.head.probe", {1, 1, kVisionWidth}},
      {"vision_model.head.attention.in_proj_weight", {3 * kVisionWidth, kVisionWidth}},
      {"vision_model.head.attention.in_proj_bias", {3 * kVisionWidth}},
      {"vision_model.head.attention.out_proj.weight", {kVisionWidth, kVisionWidth}},
      {"vision_model.head.attention.out_proj.bias", {kVisionWidth}},
      {"vision_model.head.layernorm.weight", {kVisionWidth}},
      {"vision_model.head.layernorm.bias", {kVisionWidth}},
      {"vision_model.head.mlp.fc1.weight", {kVisionMlp, kVisionWidth}},
      {"vision_model.head.mlp.fc1.bias", {kVisionMlp}},
      {"vision_model.head.mlp.fc2.weight", {kVisionWidth, kVisionMlp}},
      {"vision_model.head.mlp.fc2.bias", {kVisionWidth}},
  };
  const struct {
    const char* tower;
    int64_t width;
    int64_t mlp;
  } towers[] = {{"text_model", kTextWidth, kTextMlp}, {"vision_model", kVisionWidth, kVisionMlp}};
  for (const auto& [tower, width, mlp] : towers) {
    for (int64_t layer = 0; layer < kLayers; ++layer) {
      const std::string prefix = std::string(tower) + ".encoder.layers." + std::to_string(layer) + ".";
      for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"}) {
        shapes[prefix + name + ".weight"] = {width, width};
        shapes[prefix + name + ".bias"] = {width};
      }
      for (const char* name : {"layer_norm1.weight", "layer_norm1.bias", "layer_norm2.weight", "layer_norm2.bias"}) {
        shapes[prefix + name] = {width};
      }
      shapes[prefix + "mlp.fc1.weight"] = {mlp, width};
      shapes[prefix + "mlp.fc1.bias"] = {mlp};
      shapes[prefix + "mlp.fc2.weight"] = {width, mlp};
      shapes[prefix + "mlp.fc2.bias"] = {width};
    }
  }
  return shapes;
}

json Config() {
  return {{"model_type", "siglip"},
          {"text_config",
           {{"vocab_size", kVocabulary},
            {"max_position_embeddings", kContext},
            {"hidden_size", kTextWidth},
            {"num_hidden_layers", kLayers},
            {"num_attention_heads", 3},
            {"intermediate_size", kTextMlp},
            {"projection_size", kVisionWidth}}},
          {"vision_config",
           {{"image_size", kImageSize},
            {"patch_size", kPatch},
            {"hidden_size", kVisionWidth},
            {"num_hidden_layers", kLayers},
            {"num_attention_heads", 2},
            {"intermediate_size", kVisionMlp}}}};
}

json Preprocessor() {
  return {{"do_normalize", true},
          {"do_rescale", true},
          {"do_resize", true},
          {"image_mean", {0.5, 0.5, 0.5}},
          {"image_processor_type", "SiglipImageProcessor"},
          {"image_std", {0.5, 0.5, 0.5}},
          {"resample", 3},
          {"rescale_factor", 1.0 / 255.0},
          {"size", {{"height", kImageSize}, {"width", kImageSize}}}};
}

}  // namespace

std::map<std::string, TinyTensor> TinySiglipTensors(uint64_t seed) {
  std::map<std::string, TinyTensor> tensors;
  for (const auto& [name, shape] : Shapes()) {
    TinyTensor& tensor = tensors[name];
    tensor.shape = shape;
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    base::RandomStream random(seed, name);
    const bool is_gain = name.find("norm") != std::string::npos && name.ends_with(".weight");
    const double deviation = shape.size() > 1 ? 0.2 : 0.1;
    for (int64_t i = 0; i < count; ++i) {
      tensor.values.push_back(static_cast<float>((is_gain ? 1.0 : 0.0) + deviation * random.Normal()));
    }
  }
  tensors["logit_scale"].values = {2.5f};
  tensors["logit_bias"].values = {-3.0f};
  return tensors;
}

void WriteTinySiglip(const std::string& directory, uint64_t seed) {
  std::vector<tensor::TensorInfo> infos;
  std::string data;
  for (const auto& [name, tensor] : TinySiglipTensors(seed)) {
    const uint64_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
    infos.push_back({name, tensor::DType::kFloat32, tensor.shape, begin, data.size()});
  }
  ASSERT_OK(base::CreateDirectories(directory));
  const auto tokenizer = base::ReadFile(SourcePath("tests/support/unigram_tokenizer.json"), 1 << 20);
  ASSERT_OK(tokenizer);
  WriteTestFile(directory + "/tokenizer.json", *tokenizer);
  WriteTestFile(directory + "/config.json", Config().dump(2));
  WriteTestFile(directory + "/preprocessor_config.json", Preprocessor().dump(2));
  WriteTestFile(directory + "/model.safetensors", tensor::SerializeSafetensorsHeader(infos, {{"format", "pt"}}) + data);
}

}  // namespace modelpatch::testing
