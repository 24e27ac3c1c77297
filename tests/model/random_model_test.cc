#include "core/model/random_model.h"

#include <filesystem>
#include <string>

#include "core/model/model_loader.h"
#include "core/model/synthetic_vocabulary.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;

TEST(RandomModelTest, TheSeedDecidesTheModel) {
  const testing::ScratchDirectory scratch;
  std::string digests[3];
  const uint64_t seeds[] = {1, 1, 2};
  for (size_t i = 0; i < 3; ++i) {
    const std::string directory = scratch.Path("model");
    ASSERT_OK(WriteRandomModel(directory, "ViT-S-32-alt", seeds[i], {}));
    ASSERT_OK_AND_ASSIGN(const auto model, LoadModel(directory, tensor::Device(), {}));
    digests[i] = model->digest;
    EXPECT_EQ(model->config.vision.width, 384);
    EXPECT_EQ(model->tokenizer->vocabulary_size(), 49408);
    EXPECT_FALSE(model->tokenizer->Tokenize("a photo of a cat")->truncated);
    std::filesystem::remove_all(directory);
  }
  EXPECT_EQ(digests[0], digests[1]);
  EXPECT_NE(digests[0], digests[2]);
}

TEST(RandomModelTest, AnUnknownArchitectureWritesNothing) {
  const testing::ScratchDirectory scratch;
  EXPECT_THAT(WriteRandomModel(scratch.Path("model"), "ResNet-50", 1, {}),
              FailsWith(absl::StatusCode::kInvalidArgument, "UNKNOWN_ARCHITECTURE"));
  EXPECT_FALSE(std::filesystem::exists(scratch.Path("model")));
}

TEST(SyntheticVocabularyTest, HasTheSizeAskedFor) {
  for (const int64_t size : {514, 515, 516, 2000, 49408}) {
    ASSERT_OK_AND_ASSIGN(const BpeVocabulary vocabulary, SyntheticVocabulary(size));
    ASSERT_OK_AND_ASSIGN(const BpeTables tables, ParseBpeTables(vocabulary.vocab_json, vocabulary.merges_txt));
    EXPECT_EQ(static_cast<int64_t>(tables.tokens.size()), size);
  }
  EXPECT_THAT(SyntheticVocabulary(513).status(), FailsWith(absl::StatusCode::kInvalidArgument, "VOCABULARY_SIZE"));
}

}  // namespace
}  // namespace modelpatch::model
