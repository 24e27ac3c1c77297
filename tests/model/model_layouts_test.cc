// The same model in every layout that people have it in gives the same weights, tokens and preprocessing.
#include <torch/torch.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/base/file.h"
#include "core/model/model_loader.h"
#include "core/model/model_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_clip.h"
#include "tests/support/torch_archive_writer.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class ModelLayoutsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const testing::TinyParts& parts = parts_;
    ASSERT_OK(WriteModel(hugging_face_, parts.files, parts.image_weights, parts.text_weights, std::nullopt));
    ASSERT_OK(WriteOpenClipModel(open_clip_, parts.files, parts.image_weights, parts.text_weights, std::nullopt));
  }

  static std::string Read(const std::string& path) { return *base::ReadFile(path, 1 << 24); }
  absl::StatusOr<std::shared_ptr<const ClipModel>> Load(const std::string& directory) {
    return LoadModel(directory, tensor::Device(), {});
  }

  // Both towers of `directory` are the ones that were written, and a text has the same tokens.
  void ExpectTheModel(const std::string& directory) {
    ASSERT_OK_AND_ASSIGN(const auto model, Load(directory));
    EXPECT_TRUE(model->config.vision == parts_.files.config.vision);
    EXPECT_EQ(model->image_weights.Digest(), parts_.image_weights.Digest());
    EXPECT_EQ(model->text_weights.Digest(), parts_.text_weights.Digest());
    ASSERT_OK_AND_ASSIGN(const auto reference, Load(hugging_face_));
    EXPECT_EQ(model->tokenizer->Tokenize("a red circle, seven")->ids,
              reference->tokenizer->Tokenize("a red circle, seven")->ids);
    EXPECT_EQ(model->preprocess.mean, reference->preprocess.mean);
    EXPECT_EQ(model->preprocess.image_size, reference->preprocess.image_size);
  }

  // Cuts the Hugging Face directory's weights into files of `tensors_each`, with an index beside them.
  void Shard(size_t tensors_each) {
    const std::string bytes = Read(hugging_face_ + "/model.safetensors");
    const auto header = *tensor::ParseSafetensorsHeader(bytes);
    for (size_t first = 0; first < header.tensors.size(); first += tensors_each) {
      const std::string name = "model-" + std::to_string(first) + ".safetensors";
      std::vector<tensor::TensorInfo> infos;
      std::string data;
      for (size_t i = first; i < std::min(header.tensors.size(), first + tensors_each); ++i) {
        tensor::TensorInfo info = header.tensors[i];
        const std::string content = bytes.substr(header.data_offset + info.begin, info.end - info.begin);
        info.begin = data.size();
        data += content;
        info.end = data.size();
        index_["weight_map"][info.name] = name;
        infos.push_back(std::move(info));
      }
      testing::WriteTestFile(hugging_face_ + "/" + name, tensor::SerializeSafetensorsHeader(infos, {}) + data);
    }
    std::filesystem::remove(hugging_face_ + "/model.safetensors");
    WriteIndex();
  }
  void WriteIndex() { testing::WriteTestFile(hugging_face_ + "/model.safetensors.index.json", index_.dump()); }

  const testing::TinyParts parts_ = testing::MakeTinyParts();
  testing::ScratchDirectory scratch_;
  const std::string hugging_face_ = scratch_.Path("hf");
  const std::string open_clip_ = scratch_.Path("open_clip");
  nlohmann::json index_;
};

TEST_F(ModelLayoutsTest, HuggingFace) { ExpectTheModel(hugging_face_); }

TEST_F(ModelLayoutsTest, OpenClip) { ExpectTheModel(open_clip_); }

TEST_F(ModelLayoutsTest, OpenClipWithTheTextTowerBehindAPrefix) {
  const std::string path = open_clip_ + "/open_clip_model.safetensors";
  const std::string bytes = Read(path);
  auto header = *tensor::ParseSafetensorsHeader(bytes);
  for (tensor::TensorInfo& info : header.tensors) {
    if (!info.name.starts_with("visual.") && info.name != "logit_scale") info.name = "text." + info.name;
  }
  testing::WriteTestFile(path,
                         tensor::SerializeSafetensorsHeader(header.tensors, {}) + bytes.substr(header.data_offset));
  ExpectTheModel(open_clip_);
}

TEST_F(ModelLayoutsTest, AStateDictWhoseShapesSayEverything) {
  std::filesystem::remove(open_clip_ + "/open_clip_config.json");
  std::filesystem::rename(open_clip_ + "/open_clip_model.safetensors", open_clip_ + "/ViT-tiny.safetensors");
  ExpectTheModel(open_clip_);
}

TEST_F(ModelLayoutsTest, AVocabularyOfMergesAlone) {
  std::filesystem::remove(open_clip_ + "/vocab.json");
  std::filesystem::rename(open_clip_ + "/merges.txt", open_clip_ + "/bpe_simple_vocab_16e6.txt");
  ExpectTheModel(open_clip_);
  const std::string merges = Read(open_clip_ + "/bpe_simple_vocab_16e6.txt");
  testing::WriteTestFile(open_clip_ + "/bpe_simple_vocab_16e6.txt", merges + "more merges\nthan wanted\n");
  ExpectTheModel(open_clip_);
  testing::WriteTestFile(open_clip_ + "/bpe_simple_vocab_16e6.txt", merges.substr(0, merges.size() / 2));
  EXPECT_THAT(Load(open_clip_).status(), FailsWith(kInvalid, "MERGES_INCOMPLETE"));
}

TEST_F(ModelLayoutsTest, SeveralFilesWithAnIndex) {
  Shard(7);
  ExpectTheModel(hugging_face_);
}

TEST_F(ModelLayoutsTest, AShardThatIsCutOrGoneIsRefused) {
  Shard(20);
  const std::string shard = hugging_face_ + "/model-20.safetensors";
  const std::string bytes = Read(shard);
  testing::WriteTestFile(shard, bytes.substr(0, bytes.size() - 1));
  EXPECT_THAT(Load(hugging_face_).status(), FailsWith(kInvalid, "SAFETENSORS_TRUNCATED"));
  std::filesystem::remove(shard);
  EXPECT_THAT(Load(hugging_face_).status(), FailsWith(kInvalid, "MODEL_FILE_MISSING"));
}

TEST_F(ModelLayoutsTest, WhatTorchSaveWrote) {
  std::filesystem::remove(open_clip_ + "/open_clip_config.json");
  const std::string path = open_clip_ + "/open_clip_model.safetensors";
  const std::string bytes = Read(path);
  const auto header = *tensor::ParseSafetensorsHeader(bytes);
  std::vector<testing::TensorToSave> tensors;
  for (const tensor::TensorInfo& info : header.tensors) {
    testing::TensorToSave tensor{info.name, "FloatStorage",
                                 bytes.substr(header.data_offset + info.begin, info.end - info.begin), info.numel()};
    tensor.shape = info.shape;
    tensor.strides.assign(info.shape.size(), 1);
    for (size_t i = info.shape.size(); i-- > 1;) tensor.strides[i - 1] = tensor.strides[i] * info.shape[i];
    if (info.name == "visual.proj") {
      // Stored transposed, as a tensor that was made by `.t()` is.
      const at::Tensor value = torch::from_blob(tensor.bytes.data(), info.shape).t().contiguous();
      tensor.bytes.assign(static_cast<const char*>(value.data_ptr()), value.nbytes());
      tensor.strides = {1, info.shape[0]};
    }
    tensors.push_back(std::move(tensor));
  }
  std::filesystem::remove(path);
  testing::WriteTestFile(open_clip_ + "/ViT-tiny.pt", testing::SaveStateDict(tensors));
  ExpectTheModel(open_clip_);
}

TEST_F(ModelLayoutsTest, AnIndexThatLiesIsRefused) {
  Shard(20);
  const std::string tensor = index_["weight_map"].begin().key();
  index_["weight_map"][tensor] =
      index_["weight_map"][tensor] == "model-0.safetensors" ? "model-20.safetensors" : "model-0.safetensors";
  WriteIndex();
  EXPECT_THAT(Load(hugging_face_).status(), FailsWith(kInvalid, "MODEL_TENSORS_MISMATCH"));
  index_["weight_map"][tensor] = "../model-0.safetensors";
  WriteIndex();
  EXPECT_THAT(Load(hugging_face_).status(), FailsWith(kInvalid, "WEIGHT_INDEX_INVALID"));
}

TEST_F(ModelLayoutsTest, WhatIsExportedIsWhatWasImportedBitForBit) {
  const testing::TinyParts& parts = parts_;
  const std::string half = scratch_.Path("half");
  ASSERT_OK(WriteModel(half, parts.files, parts.image_weights, parts.text_weights, tensor::DType::kBFloat16));
  ASSERT_OK_AND_ASSIGN(const auto model, Load(half));
  const std::string again = scratch_.Path("again");
  ASSERT_OK(WriteModel(again, parts.files, model->image_weights, model->text_weights, std::nullopt));
  EXPECT_EQ(Read(again + "/model.safetensors"), Read(half + "/model.safetensors"));
}

TEST_F(ModelLayoutsTest, AVariantThatHuggingFaceDoesNotKnowGoesThroughOpenClip) {
  VisionConfig vision = parts_.files.config.vision;
  vision.layer_scale = vision.norm_after_pooling = true;
  vision.pre_norm = false;
  vision.pooling = ImagePooling::kMeanOfPatches;
  const testing::TinyParts variant = testing::MakeTinyParts(3, &vision);
  const std::string directory = scratch_.Path("variant");
  EXPECT_THAT(WriteModel(directory, variant.files, variant.image_weights, variant.text_weights, std::nullopt),
              FailsWith(absl::StatusCode::kFailedPrecondition, "LAYOUT_UNSUPPORTED"));
  ASSERT_OK(WriteOpenClipModel(directory, variant.files, variant.image_weights, variant.text_weights, std::nullopt));
  ASSERT_OK_AND_ASSIGN(const auto model, Load(directory));
  EXPECT_TRUE(model->config.vision == vision);
  EXPECT_EQ(model->image_weights.Digest(), variant.image_weights.Digest());
}

}  // namespace
}  // namespace modelpatch::model
