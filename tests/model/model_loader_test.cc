#include "core/model/model_loader.h"

#include <sys/stat.h>
#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "core/model/model_writer.h"
#include "core/tensor/safetensors_file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;
using ::modelpatch::testing::ScratchDirectory;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class ModelLoaderTest : public ::testing::Test {
 protected:
  void SetUp() override { testing::WriteTinyModel(directory_); }

  std::string Read(const std::string& name) { return *base::ReadFile(directory_ + "/" + name, 1 << 24); }
  void Write(const std::string& name, const std::string& content) {
    testing::WriteTestFile(directory_ + "/" + name, content);
  }
  absl::Status Load() { return LoadModel(directory_, tensor::Device(), {}).status(); }

  // Rewrites model.safetensors with its tensors changed by `change`.
  void ChangeTensors(const std::function<void(std::vector<tensor::TensorInfo>&, std::string&)>& change) {
    const std::string bytes = Read("model.safetensors");
    const auto header = *tensor::ParseSafetensorsHeader(bytes);
    std::vector<tensor::TensorInfo> tensors = header.tensors;
    std::string data = bytes.substr(header.data_offset);
    change(tensors, data);
    Write("model.safetensors", tensor::SerializeSafetensorsHeader(tensors, header.metadata) + data);
  }

  ScratchDirectory scratch_;
  const std::string directory_ = scratch_.Path("model");
};

TEST_F(ModelLoaderTest, LoadsWhatWasWritten) {
  ASSERT_OK_AND_ASSIGN(const auto model, LoadModel(directory_, tensor::Device(), {}));
  const auto again = LoadModel(directory_, tensor::Device(), {});
  ASSERT_OK(again);
  EXPECT_EQ(model->digest, (*again)->digest);
  EXPECT_EQ(model->image_weights.Digest(), (*again)->image_weights.Digest());
  EXPECT_NEAR(model->logit_scale, std::exp(2.6592), 1e-3);
}

TEST_F(ModelLoaderTest, EveryMissingFileIsNamed) {
  for (const std::string name :
       {"config.json", "preprocessor_config.json", "vocab.json", "merges.txt", "model.safetensors"}) {
    const std::string content = Read(name);
    std::filesystem::remove(directory_ + "/" + name);
    const absl::Status status = Load();
    EXPECT_THAT(status, FailsWith(kInvalid, "MODEL_FILE_MISSING"));
    EXPECT_NE(std::string(status.message()).find(name), std::string::npos) << status.message();
    Write(name, content);
  }
  EXPECT_OK(Load());
}

TEST_F(ModelLoaderTest, PipesAndDevicesAreRefusedAtOnce) {
  for (const std::string name :
       {"config.json", "preprocessor_config.json", "vocab.json", "merges.txt", "model.safetensors"}) {
    const std::string content = Read(name);
    const std::string path = directory_ + "/" + name;
    std::filesystem::remove(path);
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_THAT(Load(), FailsWith(kInvalid, "NOT_A_REGULAR_FILE")) << name;
    std::filesystem::remove(path);
    std::filesystem::create_symlink("/dev/zero", path);
    EXPECT_THAT(Load(), FailsWith(kInvalid, "NOT_A_REGULAR_FILE")) << name;
    std::filesystem::remove(path);
    Write(name, content);
  }
  EXPECT_OK(Load());
}

TEST_F(ModelLoaderTest, MissingAndUnexpectedTensorsAreNamed) {
  ChangeTensors([](auto& tensors, std::string&) { tensors[3].name = "surprise"; });
  const absl::Status status = Load();
  EXPECT_THAT(status, FailsWith(kInvalid, "MODEL_TENSORS_MISMATCH"));
  EXPECT_NE(std::string(status.message()).find("'surprise' is not part"), std::string::npos) << status.message();
  EXPECT_NE(std::string(status.message()).find("is missing"), std::string::npos) << status.message();
}

TEST_F(ModelLoaderTest, ATransposedTensorIsRefused) {
  ChangeTensors([](auto& tensors, std::string&) {
    for (auto& info : tensors) {
      if (info.name == "vision_model.encoder.layers.0.mlp.fc1.weight") std::swap(info.shape[0], info.shape[1]);
    }
  });
  EXPECT_THAT(Load(), FailsWith(kInvalid, "MODEL_TENSORS_MISMATCH"));
}

TEST_F(ModelLoaderTest, AnIntegerTensorIsRefused) {
  ChangeTensors([](auto& tensors, std::string&) { tensors[0].dtype = tensor::DType::kInt32; });
  EXPECT_THAT(Load(), FailsWith(kInvalid, "MODEL_TENSORS_MISMATCH"));
}

TEST_F(ModelLoaderTest, NotANumberIsRefusedByName) {
  ChangeTensors([](auto& tensors, std::string& data) {
    const float bad = std::nanf("");
    std::memcpy(data.data() + tensors[5].begin, &bad, sizeof(bad));
  });
  EXPECT_THAT(Load(), FailsWith(kInvalid, "MODEL_TENSOR_NOT_FINITE"));
}

TEST_F(ModelLoaderTest, ALogitScaleThatOverflowsTheSoftmaxIsRefused) {
  const auto with = [&](float value) {
    ChangeTensors([value](auto& tensors, std::string& data) {
      for (const auto& info : tensors) {
        if (info.name == "logit_scale") std::memcpy(data.data() + info.begin, &value, sizeof(value));
      }
    });
    return Load();
  };
  EXPECT_OK(with(20.0f));
  EXPECT_THAT(with(-200.0f), FailsWith(kInvalid, "MODEL_LOGIT_SCALE_INVALID"));
  const absl::Status status = with(200.0f);
  EXPECT_THAT(status, FailsWith(kInvalid, "MODEL_LOGIT_SCALE_INVALID"));
  EXPECT_NE(std::string(status.message()).find("is 200;"), std::string::npos) << status.message();
}

TEST_F(ModelLoaderTest, MergesThatAreCutShortAreRefused) {
  const std::string merges = Read("merges.txt");
  Write("merges.txt", merges.substr(0, merges.size() / 2));
  EXPECT_EQ(Load().code(), kInvalid);
  Write("merges.txt", "");
  EXPECT_THAT(Load(), FailsWith(kInvalid, "MERGES_INCOMPLETE"));
}

TEST_F(ModelLoaderTest, AConfigThatContradictsTheWeightsIsRefused) {
  const auto config = nlohmann::json::parse(Read("config.json"));
  const auto with = [&](const char* tower, const char* member, const nlohmann::json& value) {
    nlohmann::json changed = config;
    changed[tower][member] = value;
    Write("config.json", changed.dump());
    return Load();
  };
  EXPECT_THAT(with("vision_config", "hidden_size", 128), FailsWith(kInvalid, "MODEL_TENSORS_MISMATCH"));
  EXPECT_THAT(with("vision_config", "num_hidden_layers", 3), FailsWith(kInvalid, "MODEL_TENSORS_MISMATCH"));
  EXPECT_THAT(with("vision_config", "image_size", 32), FailsWith(kInvalid, "MODEL_PREPROCESS_MISMATCH"));
  EXPECT_THAT(with("text_config", "vocab_size", 999), FailsWith(kInvalid, "MODEL_VOCABULARY_MISMATCH"));
  EXPECT_FALSE(with("vision_config", "hidden_size", -1).ok());
}

TEST_F(ModelLoaderTest, ATruncatedWeightFileIsRefused) {
  const std::string bytes = Read("model.safetensors");
  for (const size_t kept : {size_t{0}, size_t{7}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    Write("model.safetensors", bytes.substr(0, kept));
    EXPECT_EQ(Load().code(), kInvalid) << kept;
  }
}

TEST_F(ModelLoaderTest, WhatContradictsTheHeaderIsKnownBeforeTheWeightsAreThere) {
  ASSERT_OK_AND_ASSIGN(tensor::SafetensorsHeader header, tensor::ParseSafetensorsHeader(Read("model.safetensors")));
  std::filesystem::remove(directory_ + "/model.safetensors");
  ModelFileNames names;
  names.texts = {"config.json", "preprocessor_config.json", "vocab.json", "merges.txt"};
  const auto check = [&] {
    TensorTable tensors;
    EXPECT_OK(tensors.Add(header));
    return CheckModelBeforeWeights(directory_, names, tensors);
  };
  EXPECT_OK(check());
  header.tensors[3].shape.push_back(2);
  EXPECT_THAT(check(), FailsWith(kInvalid, "MODEL_TENSORS_MISMATCH"));
  Write("vocab.json", "[]");
  EXPECT_THAT(check(), FailsWith(kInvalid, "VOCABULARY_NOT_JSON"));
}

TEST_F(ModelLoaderTest, HalfPrecisionRoundsOnce) {
  ASSERT_OK_AND_ASSIGN(const auto model, LoadModel(directory_, tensor::Device(), {}));
  const ModelFiles files{model->config, Read("vocab.json"), Read("merges.txt"), model->preprocess};
  ASSERT_OK(
      WriteModel(scratch_.Path("half"), files, model->image_weights, model->text_weights, tensor::DType::kFloat16));
  ASSERT_OK_AND_ASSIGN(const auto half, LoadModel(scratch_.Path("half"), tensor::Device(), {}));
  const at::Tensor expected = model->image_weights.flat().to(at::kHalf).to(at::kFloat);
  EXPECT_TRUE(half->image_weights.flat().equal(expected));
  EXPECT_EQ(half->image_weights.layout().weights()[0].spec.source_dtype, tensor::DType::kFloat16);
  EXPECT_NE(half->digest, model->digest);
}

TEST_F(ModelLoaderTest, ACancelledLoadSaysSo) {
  base::CancellationSource source;
  source.Cancel();
  EXPECT_EQ(LoadModel(directory_, tensor::Device(), source.token()).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace modelpatch::model
