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
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

constexpr const char* kWords = R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

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
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "NFC"}},
              {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}},
              {{"type", "Lowercase"}}}}}},
          {"pre_tokenizer",
           {{"type", "Sequence"},
            {"pretokenizers",
             {{{"type", "Split"}, {"pattern", {{"Regex", kWords}}}, {"behavior", "Removed"}, {"invert", true}},
              {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}}}}}},
          {"post_processor",
           {{"type", "RobertaProcessing"},
            {"sep", {"<|endoftext|>", tokens["<|endoftext|>"]}},
            {"cls", {"<|startoftext|>", tokens["<|startoftext|>"]}}}},
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

absl::Status StatusWith(const char* pointer, const json& value) {
  json document = Document();
  document[json::json_pointer(pointer)] = value;
  return ParseTokenizerJson(document.dump()).status();
}

TEST(TokenizerJsonTest, EveryPublishedFormOfThePipeline) {
  for (const char* member : {"normalizer", "pre_tokenizer", "post_processor", "added_tokens"}) {
    json document = Document();
    document[member] = nullptr;
    ExpectTheTrainedTokenizer(document);
    document.erase(member);
    ExpectTheTrainedTokenizer(document);
  }
  EXPECT_OK(StatusWith("/pre_tokenizer/pretokenizers/0/pattern/Regex",
                       std::string(R"(<\|startoftext\|>|<\|endoftext\|>|)") + kWords));
  EXPECT_OK(StatusWith("/pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}));
  EXPECT_OK(StatusWith("/post_processor", {{"type", "ByteLevel"}, {"trim_offsets", false}}));
  EXPECT_OK(StatusWith("/normalizer", {{"type", "Lowercase"}}));
  const json start = {{"SpecialToken", {{"id", "<|startoftext|>"}, {"type_id", 0}}}};
  const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const json end = {{"SpecialToken", {{"id", "<|endoftext|>"}, {"type_id", 0}}}};
  EXPECT_OK(StatusWith("/post_processor", {{"type", "TemplateProcessing"}, {"single", {start, text, end}}}));
  EXPECT_THAT(StatusWith("/post_processor", {{"type", "TemplateProcessing"}, {"single", {text, end}}}),
              FailsWith(kInvalid, "TOKENIZER_UNSUPPORTED"));
}

TEST(TokenizerJsonTest, AnotherPipelineIsRefusedByName) {
  const auto refusal = [](const char* pointer, const json& value) {
    const absl::Status status = StatusWith(pointer, value);
    EXPECT_THAT(status, FailsWith(kInvalid, "TOKENIZER_UNSUPPORTED")) << pointer;
    return std::string(status.message());
  };
  EXPECT_THAT(refusal("/normalizer", {{"type", "BertNormalizer"}, {"lowercase", true}}),
              HasSubstr("normalizer is or has \"BertNormalizer\""));
  EXPECT_THAT(refusal("/normalizer", {{"type", "NFC"}}), HasSubstr("Lowercase"));
  EXPECT_THAT(refusal("/normalizer/normalizers/0/type", "NFKC"), HasSubstr("\"NFKC\""));
  EXPECT_THAT(refusal("/normalizer/normalizers/1/content", "_"), HasSubstr("\"Replace\""));
  EXPECT_THAT(refusal("/normalizer", 3), HasSubstr("3"));
  EXPECT_THAT(refusal("/pre_tokenizer", {{"type", "Metaspace"}}), HasSubstr("\"Metaspace\""));
  EXPECT_THAT(refusal("/pre_tokenizer/pretokenizers/0/pattern/Regex", "[a-z]+"), HasSubstr("\"Split\""));
  EXPECT_THAT(refusal("/pre_tokenizer/pretokenizers/0/invert", false), HasSubstr("\"Split\""));
  EXPECT_THAT(refusal("/pre_tokenizer/pretokenizers/1/add_prefix_space", true), HasSubstr("\"ByteLevel\""));
  EXPECT_THAT(refusal("/post_processor", {{"type", "BertProcessing"}}), HasSubstr("\"BertProcessing\""));
  EXPECT_THAT(refusal("/post_processor/cls/0", "[CLS]"), HasSubstr("<|startoftext|>"));
  EXPECT_THAT(refusal("/added_tokens/0", {{"id", 0}, {"content", "!"}}), HasSubstr("added_tokens[0] is \"!\""));
  EXPECT_THAT(refusal("/model/ignore_merges", true), HasSubstr("model.ignore_merges"));
}

TEST(TokenizerJsonTest, AnAddedTokenAgreesWithTheVocabulary) {
  EXPECT_THAT(StatusWith("/added_tokens/0/id", 7), FailsWith(kInvalid, "TOKENIZER_INVALID"));
}

TEST(TokenizerJsonTest, DeepNestingIsNoWeapon) {
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  for (const char* pointer : {"/model/vocab/x", "/model/merges/0", "/model/type", "/added_tokens/0/id",
                              "/added_tokens/0/content", "/normalizer", "/normalizer/normalizers/0",
                              "/pre_tokenizer/pretokenizers/0/pattern/Regex", "/post_processor/cls/0"}) {
    json document = Document();
    document[json::json_pointer(pointer)] = "DEEP";
    std::string text = document.dump();
    const std::string mark = "\"DEEP\"";
    EXPECT_FALSE(ParseTokenizerJson(text.replace(text.find(mark), mark.size(), deep)).ok()) << pointer;
  }
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
