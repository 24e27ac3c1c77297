// Unigram tokenizers. tests/support/unigram_tokenizer.json has the parts of SigLIP's own: 101 pieces and a small
// charsmap that SentencePiece 0.1.97 made, behind Lowercase, Replace and Strip. The expected ids are those of Hugging
// Face's tokenizers 0.23.2.
#include "core/model/unigram_tokenizer.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;
using nlohmann::json;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr int64_t kContextLength = 64;

std::string FileText() { return *base::ReadFile(testing::SourcePath("tests/support/unigram_tokenizer.json"), 1 << 20); }

std::vector<int32_t> IdsOf(const json& document, std::string_view text) {
  const auto tokenizer = MakeUnigramTokenizer(document.dump(), kContextLength);
  EXPECT_OK(tokenizer);
  if (!tokenizer.ok()) return {};
  const auto tokenized = (*tokenizer)->Tokenize(text);
  EXPECT_OK(tokenized);
  return tokenized.ok() ? tokenized->ids : std::vector<int32_t>();
}

TEST(UnigramTokenizerTest, GivesTheIdsOfTheReference) {
  const json document = json::parse(FileText());
  const struct {
    const char* text;
    std::vector<int32_t> ids;
  } cases[] = {
      {"a photo of a red circle", {0, 35, 3, 4, 0, 25, 11, 59, 1}},
      {"A close-up of the Painted HORSE!", {0, 9, 32, 7, 30, 17, 16, 3, 4, 5, 8, 45, 6, 11, 71, 1}},
      {"", {1}},
      {"  \u3000 two\u00a0 spaces\t", {5, 97, 7, 15, 16, 40, 98, 74, 1}},
      {"</s>", {1, 1}},
      {"x </s> y<unk>z", {9, 41, 1, 9, 23, 2, 9, 2, 1}},
      {"cafe\u0301 caf\u00e9", {69, 69, 1}},
      {"\ufb01eld \uff21\u00bd \u2122 zero\u200bwidth",
       {13, 79, 6, 10, 11, 9, 2, 9, 2, 9, 2, 6, 19, 97, 20, 31, 86, 1}},
      {"unhouseriverstation", {9, 17, 14, 86, 7, 17, 30, 88, 42, 55, 40, 31, 79, 83, 1}},
      {"\u65e5\u672c\u8a9e\u306e\u5199\u771f", {9, 2, 1}},
      {"e\u0301\u0302 e\u0301\u0302\u0303", {9, 94, 9, 6, 2, 1}},
      {"#?*[]^\\", {1}},
      {"\u0130\u03a3 \u2581\u2581house", {9, 79, 2, 9, 9, 66, 1}},
  };
  for (const auto& [text, ids] : cases) EXPECT_EQ(IdsOf(document, text), ids) << text;
}

TEST(UnigramTokenizerTest, GivesTheIdsOfTheReferenceWithoutLowerCasing) {
  json document = json::parse(FileText());
  json& steps = document["normalizer"]["normalizers"];
  const json charsmap = steps[4];
  const json spaces = steps[5];
  steps = {charsmap, {{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}}, spaces};
  EXPECT_EQ(IdsOf(document, "A close-up of the Painted HORSE!"),
            (std::vector<int32_t>{9, 2, 9, 32, 7, 30, 29, 17, 16, 3, 4, 5, 8, 9, 2, 40, 37, 31, 6, 11, 9, 2, 1}));
  EXPECT_EQ(IdsOf(document, "#?*[]^\\"), (std::vector<int32_t>{9, 2, 1}));
  EXPECT_EQ(IdsOf(document, "\u0130\u03a3 \u2581\u2581house"), (std::vector<int32_t>{9, 2, 9, 9, 66, 1}));
}

TEST(UnigramTokenizerTest, CutsAtTheContextAndEndsWithTheEndOfText) {
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, MakeUnigramTokenizer(FileText(), 4));
  ASSERT_OK_AND_ASSIGN(const TokenizedText cut, tokenizer->Tokenize("a photo of a red circle"));
  EXPECT_EQ(cut.ids, (std::vector<int32_t>{0, 35, 3, 1}));
  EXPECT_TRUE(cut.truncated);
  EXPECT_EQ(cut.untruncated_length, 9);
  ASSERT_OK_AND_ASSIGN(const TokenizedText whole, tokenizer->Tokenize("a photo"));
  EXPECT_FALSE(whole.truncated);
  EXPECT_EQ(tokenizer->context_length(), 4);
  EXPECT_EQ(tokenizer->end_of_text_id(), 1);
  EXPECT_EQ(tokenizer->vocabulary_size(), 101);
}

TEST(UnigramTokenizerTest, DecodesPiecesToText) {
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, MakeUnigramTokenizer(FileText(), kContextLength));
  EXPECT_EQ(tokenizer->Decode(std::vector<int32_t>{0, 35, 3, 4, 0, 25, 11, 59}), "a photo of a red circle");
  EXPECT_EQ(tokenizer->Decode(std::vector<int32_t>{0, -1, 101}), "a\ufffd\ufffd");
}

TEST(UnigramTokenizerTest, WordsAreMarkedAsThePreTokenizerSays) {
  json document = json::parse(FileText());
  json& metaspace = document["pre_tokenizer"];
  const std::vector<int32_t> marked = {25, 11, 59, 1};
  EXPECT_EQ(IdsOf(document, "  red  circle "), marked);
  metaspace["prepend_scheme"] = "never";
  EXPECT_EQ(IdsOf(document, "  red  circle "), (std::vector<int32_t>{49, 11, 59, 1}));
  EXPECT_EQ(IdsOf(document, "red</s> circle"), (std::vector<int32_t>{49, 11, 1, 47, 92, 32, 6, 1}));
  // The form before prepend_scheme, and a split at white space before it, which needs no normalizer.
  metaspace = {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"add_prefix_space", true}};
  EXPECT_EQ(IdsOf(document, "  red  circle "), marked);
  document["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {{{"type", "WhitespaceSplit"}}, metaspace}}};
  document["normalizer"] = nullptr;
  EXPECT_EQ(IdsOf(document, "  red  circle "), marked);
}

TEST(UnigramTokenizerTest, RefusesByNameWhatItDoesNotKnow) {
  const struct {
    const char* pointer;
    json value;
    const char* reason;
    const char* field;
  } cases[] = {
      {"/model/type", "BPE", "TOKENIZER_UNSUPPORTED", "model.type"},
      {"/model/unk_id", 101, "TOKENIZER_INVALID", "model.unk_id"},
      {"/model/unk_id", nullptr, "TOKENIZER_INVALID", "model.unk_id"},
      {"/model/byte_fallback", 1, "TOKENIZER_INVALID", "model.byte_fallback"},
      {"/model/vocab/7", "a", "TOKENIZER_INVALID", "model.vocab[7]"},
      {"/model/vocab/7/0", "", "VOCABULARY_INVALID", ""},
      {"/model/vocab/7/0", "</s>", "VOCABULARY_DUPLICATE", ""},
      {"/normalizer/normalizers/0/type", "Nmt", "TOKENIZER_UNSUPPORTED", "normalizer.normalizers[0]"},
      {"/normalizer/normalizers/1/pattern/Regex", "(a|b)*", "TOKENIZER_UNSUPPORTED", "normalizer.normalizers[1]"},
      {"/normalizer/normalizers/1/pattern/Regex", "[a&&b]", "TOKENIZER_UNSUPPORTED", "normalizer.normalizers[1]"},
      {"/normalizer/normalizers/1/content", "$1", "TOKENIZER_UNSUPPORTED", "normalizer.normalizers[1]"},
      {"/normalizer/normalizers/3/strip_left", 1, "TOKENIZER_INVALID", "normalizer.normalizers[3]"},
      {"/normalizer/normalizers/4/precompiled_charsmap", "////", "TOKENIZER_INVALID", "normalizer.normalizers[4]"},
      {"/pre_tokenizer/type", "Whitespace", "TOKENIZER_UNSUPPORTED", "pre_tokenizer"},
      {"/pre_tokenizer/replacement", "ab", "TOKENIZER_INVALID", "pre_tokenizer"},
      {"/pre_tokenizer/prepend_scheme", "first", "TOKENIZER_UNSUPPORTED", "pre_tokenizer"},
      {"/post_processor", nullptr, "TOKENIZER_UNSUPPORTED", "post_processor"},
      {"/post_processor/special_tokens/<~1s>/ids/0", 101, "TOKENIZER_INVALID", "post_processor"},
      {"/added_tokens/0/id", 3, "TOKENIZER_INVALID", "added_tokens"},
      {"/added_tokens/0/normalized", true, "TOKENIZER_UNSUPPORTED", "added_tokens[0]"},
      {"/added_tokens/1/content", "</s>", "VOCABULARY_DUPLICATE", "added_tokens[1]"},
  };
  for (const auto& [pointer, value, reason, field] : cases) {
    json document = json::parse(FileText());
    document[json::json_pointer(pointer)] = value;
    const auto result = MakeUnigramTokenizer(document.dump(), kContextLength);
    EXPECT_THAT(result, FailsWith(kInvalid, reason)) << pointer;
    EXPECT_EQ(base::FieldOf(result.status()), field) << pointer;
  }
  EXPECT_THAT(MakeUnigramTokenizer("[]", kContextLength), FailsWith(kInvalid, "TOKENIZER_NOT_JSON"));
  EXPECT_THAT(MakeUnigramTokenizer(FileText(), 1), FailsWith(kInvalid, "BAD_CONTEXT_LENGTH"));
}

TEST(UnigramTokenizerTest, RefusesTextsThatAreNotUtf8) {
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, MakeUnigramTokenizer(FileText(), kContextLength));
  EXPECT_THAT(tokenizer->Tokenize("\xff"), FailsWith(kInvalid, "TEXT_NOT_UTF8"));
}

}  // namespace
}  // namespace modelpatch::model
