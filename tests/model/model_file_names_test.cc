#include "core/model/model_file_names.h"

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;
using Names = std::vector<std::string>;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

Names Without(Names names, const std::string& name) {
  std::erase(names, name);
  return names;
}

TEST(ModelFileNamesTest, HuggingFaceInOneFileOrMany) {
  const Names whole = {"README.md",      "config.json", "merges.txt", "model.safetensors", "preprocessor_config.json",
                       "tokenizer.json", "vocab.json"};
  ASSERT_OK_AND_ASSIGN(const ModelFileNames chosen, ChooseModelFiles(whole));
  EXPECT_EQ(chosen.config, ConfigSource::kHuggingFace);
  EXPECT_EQ(chosen.texts, (Names{"config.json", "preprocessor_config.json", "vocab.json", "merges.txt"}));
  EXPECT_EQ(chosen.weights, "model.safetensors");
  EXPECT_EQ(chosen.index, "");

  Names sharded = Without(whole, "model.safetensors");
  sharded.insert(sharded.end(), {"model-00001-of-00002.safetensors", "model.safetensors.index.json"});
  ASSERT_OK_AND_ASSIGN(const ModelFileNames parts, ChooseModelFiles(sharded));
  EXPECT_EQ(parts.index, "model.safetensors.index.json");
  EXPECT_EQ(parts.texts.back(), "model.safetensors.index.json");
  EXPECT_EQ(parts.weights, "");
}

TEST(ModelFileNamesTest, OpenClipAndItsVocabulary) {
  const Names names = {"bpe_simple_vocab_16e6.txt.gz", "open_clip_config.json", "open_clip_model.safetensors"};
  ASSERT_OK_AND_ASSIGN(const ModelFileNames chosen, ChooseModelFiles(names));
  EXPECT_EQ(chosen.config, ConfigSource::kOpenClip);
  EXPECT_EQ(chosen.tokenizer, TokenizerSource::kMerges);
  EXPECT_EQ(chosen.texts, (Names{"open_clip_config.json", "bpe_simple_vocab_16e6.txt.gz"}));
  EXPECT_EQ(chosen.weights, "open_clip_model.safetensors");
}

TEST(ModelFileNamesTest, WhereADirectoryHasBothLayoutsHuggingFaceGoesFirstIfItIsWhole) {
  const Names both = {"config.json",
                      "merges.txt",
                      "model.safetensors",
                      "open_clip_config.json",
                      "open_clip_model.safetensors",
                      "preprocessor_config.json",
                      "vocab.json"};
  ASSERT_OK_AND_ASSIGN(const ModelFileNames first, ChooseModelFiles(both));
  EXPECT_EQ(first.config, ConfigSource::kHuggingFace);
  ASSERT_OK_AND_ASSIGN(const ModelFileNames second, ChooseModelFiles(Without(both, "model.safetensors")));
  EXPECT_EQ(second.config, ConfigSource::kOpenClip);
}

TEST(ModelFileNamesTest, AStateDictNeedsNoConfigButMustBeAlone) {
  ASSERT_OK_AND_ASSIGN(const ModelFileNames chosen,
                       ChooseModelFiles(Names{"RN50.safetensors", "merges.txt", "vocab.json"}));
  EXPECT_EQ(chosen.config, ConfigSource::kShapes);
  EXPECT_EQ(chosen.weights, "RN50.safetensors");
  EXPECT_THAT(ChooseModelFiles(Names{"RN50.safetensors", "RN101.safetensors", "merges.txt", "vocab.json"}).status(),
              FailsWith(kInvalid, "MODEL_FILES_AMBIGUOUS"));
}

TEST(ModelFileNamesTest, WhatIsMissingIsNamed) {
  const Names whole = {"config.json", "merges.txt", "model.safetensors", "preprocessor_config.json", "vocab.json"};
  for (const std::string& name : Without(whole, "config.json")) {
    const absl::Status status = ChooseModelFiles(Without(whole, name)).status();
    EXPECT_THAT(status, FailsWith(kInvalid, "MODEL_FILE_MISSING"));
    EXPECT_TRUE(std::string(status.message()).starts_with("there is no " + name)) << status.message();
  }
  EXPECT_THAT(ChooseModelFiles(Names{}).status(), FailsWith(kInvalid, "MODEL_FILE_MISSING"));
  EXPECT_THAT(ChooseModelFiles(Names{"open_clip_config.json", "vocab.json", "merges.txt"}).status(),
              FailsWith(kInvalid, "MODEL_FILE_MISSING"));
}

}  // namespace
}  // namespace modelpatch::model
