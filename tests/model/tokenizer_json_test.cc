#include "core/model/tokenizer_json.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "core/model/bpe_tokenizer.h"
#include "core/model/bpe_trainer.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;
using nlohmann::json;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

BpeVocabulary Trained() {
  const std::vector<std::string> texts = {"a photo of a cat", "a drawing of a dog", "the photo"};
  return *TrainBpe(texts, 30);
}

// A tokenizer.json as transformers writes it for CLIP, of the trained vocabulary.
json Document() {
  const BpeVocabulary vocabulary = Trained();
  json merges = json::array();
  std::istringstream lines(vocabulary.merges_txt);
  std::string line;
  std::getline(lines, line);  // the header
  while (std::getline(lines, line)) merges.push_back(line);
  const json tokens = json::parse(vocabulary.vocab_json);
  return {{"version", "1.0"},
          {"added_tokens",
           {{{"id", tokens["<|startoftext|>"]}, {"content", "<|startoftext|>"}, {"special", true}},
            {{"id", tokens["<|endoftext|>"]}, {"content", "<|endoftext|>"}, {"special", true}}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"continuing_subword_prefix", ""},
            {"end_of_word_suffix", "</w>"},
            {"vocab", tokens},
            {"merges", merges}}}};
}

void ExpectTheTrainedTokenizer(const json& document) {
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary read, ParseTokenizerJson(document.dump()));
  const BpeVocabulary trained = Trained();
  const auto expected = MakeBpeTokenizer(trained.vocab_json, trained.merges_txt, 77);
  const auto tokenizer = MakeBpeTokenizer(read.vocab_json, read.merges_txt, 77);
  ASSERT_OK(tokenizer);
  for (const char* text : {"a photo of a dog", "Drawing photos", "xyz 123", ""}) {
    EXPECT_EQ((*tokenizer)->Tokenize(text)->ids, (*expected)->Tokenize(text)->ids) << text;
  }
}

TEST(TokenizerJsonTest, BothFormsOfMerges) {
  json document = Document();
  ExpectTheTrainedTokenizer(document);
  for (json& merge : document["model"]["merges"]) {
    const std::string line = merge;
    const size_t space = line.find(' ');
    merge = {line.substr(0, space), line.substr(space + 1)};
  }
  ExpectTheTrainedTokenizer(document);
}

TEST(TokenizerJsonTest, SpecialTokensMayStandBesideTheVocabulary) {
  json document = Document();
  document["model"]["vocab"].erase("<|startoftext|>");
  document["model"]["vocab"].erase("<|endoftext|>");
  ExpectTheTrainedTokenizer(document);
}

TEST(TokenizerJsonTest, AnotherKindOfModelIsRefusedByName) {
  const auto with = [](const char* member, const json& value) {
    json document = Document();
    document["model"][member] = value;
    return ParseTokenizerJson(document.dump()).status();
  };
  EXPECT_THAT(with("type", "Unigram"), FailsWith(kInvalid, "TOKENIZER_UNSUPPORTED"));
  EXPECT_THAT(with("end_of_word_suffix", nullptr), FailsWith(kInvalid, "TOKENIZER_UNSUPPORTED"));
  EXPECT_THAT(with("byte_fallback", true), FailsWith(kInvalid, "TOKENIZER_UNSUPPORTED"));
  EXPECT_THAT(with("dropout", 0.1), FailsWith(kInvalid, "TOKENIZER_UNSUPPORTED"));
  EXPECT_NE(std::string(with("type", "Unigram").message()).find("model.type is \"Unigram\""), std::string::npos);
}

TEST(TokenizerJsonTest, WhatIsNoTokenizerIsRefused) {
  EXPECT_THAT(ParseTokenizerJson("[]").status(), FailsWith(kInvalid, "TOKENIZER_NOT_JSON"));
  EXPECT_THAT(ParseTokenizerJson("{}").status(), FailsWith(kInvalid, "TOKENIZER_INVALID"));
  const auto with = [](const char* pointer, const json& value) {
    json document = Document();
    document[json::json_pointer(pointer)] = value;
    return ParseTokenizerJson(document.dump()).status();
  };
  EXPECT_THAT(with("/model/vocab", json::array()), FailsWith(kInvalid, "TOKENIZER_INVALID"));
  EXPECT_THAT(with("/model/merges", "a b"), FailsWith(kInvalid, "TOKENIZER_INVALID"));
  EXPECT_THAT(with("/model/merges/0", 7), FailsWith(kInvalid, "TOKENIZER_INVALID"));
  EXPECT_THAT(with("/model/merges/0", "a\nb"), FailsWith(kInvalid, "TOKENIZER_INVALID"));
  EXPECT_THAT(with("/added_tokens/0", json::object()), FailsWith(kInvalid, "TOKENIZER_INVALID"));
}

TEST(TokenizerJsonTest, ATokenTwiceIsSeen) {
  std::string text = Document().dump();
  const std::string start = R"("vocab":{)";
  text.insert(text.find(start) + start.size(), R"("a</w>":0,)");
  EXPECT_THAT(ParseTokenizerJson(text).status(), FailsWith(kInvalid, "VOCABULARY_DUPLICATE"));
}

}  // namespace
}  // namespace modelpatch::model
