#include "core/model/checkpoint_loader.h"

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/model/model_loader.h"
#include "core/model/model_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// A model, and a directory with the same model after its image tower was fine-tuned.
class CheckpointLoaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const at::NoGradGuard no_grad;
    at::Tensor flat = tuned_.flat();
    flat.add_(0.01);
    ASSERT_OK(WriteModel(hugging_face_, parts_.files, tuned_, parts_.text_weights, std::nullopt));
    ASSERT_OK(WriteOpenClipModel(open_clip_, parts_.files, tuned_, parts_.text_weights, std::nullopt));
  }

  absl::StatusOr<tensor::WeightSet> Load(const std::string& directory) {
    return LoadCheckpoint(*model_, directory, {});
  }
  void ExpectTheTuned(const std::string& directory) {
    ASSERT_OK_AND_ASSIGN(const tensor::WeightSet loaded, Load(directory));
    for (size_t i = 0; i < loaded.views().size(); ++i) EXPECT_TRUE(loaded.views()[i].equal(tuned_.views()[i])) << i;
    EXPECT_EQ(loaded.shared_layout(), model_->image_weights.shared_layout());
  }
  // Rewrites OpenCLIP's weight file, without a config, with the tensors that `keep` keeps, under the names it gives.
  void Rewrite(const std::function<std::string(const std::string& name)>& rename) {
    const std::string path = open_clip_ + "/open_clip_model.safetensors";
    const std::string bytes = *base::ReadFile(path, 1 << 24);
    const auto header = *tensor::ParseSafetensorsHeader(bytes);
    std::vector<tensor::TensorInfo> infos;
    std::string data;
    for (tensor::TensorInfo info : header.tensors) {
      const std::string content = bytes.substr(header.data_offset + info.begin, info.end - info.begin);
      info.name = rename(info.name);
      if (info.name.empty()) continue;
      info.begin = data.size();
      data += content;
      info.end = data.size();
      infos.push_back(info);
    }
    std::filesystem::remove_all(open_clip_);
    std::filesystem::create_directory(open_clip_);
    testing::WriteTestFile(open_clip_ + "/tuned.safetensors", tensor::SerializeSafetensorsHeader(infos, {}) + data);
  }

  const testing::TinyParts parts_ = testing::MakeTinyParts();
  const std::shared_ptr<const ClipModel> model_ = testing::MakeTinyModel();
  const tensor::WeightSet tuned_ = parts_.image_weights.Clone();
  testing::ScratchDirectory scratch_;
  const std::string hugging_face_ = scratch_.Path("hf");
  const std::string open_clip_ = scratch_.Path("open_clip");
};

TEST_F(CheckpointLoaderTest, EveryLayoutGivesTheSameWeights) {
  ExpectTheTuned(hugging_face_);
  ExpectTheTuned(open_clip_);
}

TEST_F(CheckpointLoaderTest, WeightsAloneAreEnough) {
  for (const char* name : {"config.json", "preprocessor_config.json", "vocab.json", "merges.txt"}) {
    std::filesystem::remove(hugging_face_ + "/" + name);
  }
  ExpectTheTuned(hugging_face_);
}

// What PAINT and task vectors save: the encoder as `model`, with some or nothing of the text tower.
TEST_F(CheckpointLoaderTest, AnImageEncoderInsideAnotherModule) {
  Rewrite([](const std::string& name) {
    return name.starts_with("transformer.") ? std::string() : std::string("module.model.").append(name);
  });
  ExpectTheTuned(open_clip_);
}

TEST_F(CheckpointLoaderTest, TheImageTowerAlone) {
  Rewrite([](const std::string& name) { return name.starts_with("visual.") ? name : std::string(); });
  ExpectTheTuned(open_clip_);
}

TEST_F(CheckpointLoaderTest, HalfOfTheImageTowerIsRefused) {
  Rewrite([](const std::string& name) { return name == "visual.proj" ? std::string() : name; });
  const absl::Status status = Load(open_clip_).status();
  EXPECT_THAT(status, FailsWith(kInvalid, "MODEL_TENSORS_MISMATCH"));
  EXPECT_NE(std::string(status.message()).find("'visual.proj' is missing"), std::string::npos) << status.message();
}

TEST_F(CheckpointLoaderTest, ATextTowerThatIsRoundedOnDiskIsTheModelsOwn) {
  for (const tensor::DType dtype : {tensor::DType::kFloat16, tensor::DType::kBFloat16}) {
    std::filesystem::remove_all(hugging_face_);
    ASSERT_OK(WriteModel(hugging_face_, parts_.files, tuned_, parts_.text_weights, dtype));
    EXPECT_OK(Load(hugging_face_).status());
  }
}

TEST_F(CheckpointLoaderTest, AnotherTextTowerIsRefusedByName) {
  const tensor::WeightSet text = parts_.text_weights.Clone();
  {
    const at::NoGradGuard no_grad;
    at::Tensor logit_scale = text.views().back();
    logit_scale.add_(0.5);
  }
  std::filesystem::remove_all(hugging_face_);
  ASSERT_OK(WriteModel(hugging_face_, parts_.files, tuned_, text, std::nullopt));
  const absl::Status status = Load(hugging_face_).status();
  EXPECT_THAT(status, FailsWith(kInvalid, "CHECKPOINT_TEXT_TOWER_DIFFERS"));
  EXPECT_NE(std::string(status.message()).find("logit_scale"), std::string::npos) << status.message();
}

TEST_F(CheckpointLoaderTest, AConfigOfAnotherArchitectureIsRefused) {
  testing::TinyParts other = testing::MakeTinyParts();
  other.files.config.vision.activation = Activation::kGelu;
  std::filesystem::remove_all(hugging_face_);
  ASSERT_OK(WriteModel(hugging_face_, other.files, tuned_, parts_.text_weights, std::nullopt));
  EXPECT_THAT(Load(hugging_face_).status(), FailsWith(kInvalid, "CHECKPOINT_CONFIG_DIFFERS"));
}

}  // namespace
}  // namespace modelpatch::model
