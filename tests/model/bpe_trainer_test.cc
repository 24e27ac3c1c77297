#include "core/model/bpe_trainer.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/model/bpe_tokenizer.h"
#include "core/model/byte_symbols.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;
using ::testing::SizeIs;

TEST(BpeTrainerTest, HasClipsLayout) {
  const std::vector<std::string> texts = {"low low low lower"};
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary trained, TrainBpe(texts, 2));
  EXPECT_EQ(trained.merges_txt, "#version: 0.2\nl o\nlo w</w>\n") << "'l o' occurs 4 times, then 'lo w</w>' 3 times";
  const auto vocabulary = nlohmann::json::parse(trained.vocab_json);
  ASSERT_THAT(vocabulary, SizeIs(256 + 256 + 2 + 2));
  EXPECT_EQ(vocabulary["!"], 0);
  EXPECT_EQ(vocabulary["a"], 64);
  EXPECT_EQ(vocabulary["¡"], 94);
  EXPECT_EQ(vocabulary["ÿ"], 187);
  EXPECT_EQ(vocabulary["Ā"], 188) << "byte 0 comes after the printable bytes";
  EXPECT_EQ(vocabulary["Ń"], 255) << "byte 173 is the last";
  EXPECT_EQ(vocabulary["!</w>"], 256);
  EXPECT_EQ(vocabulary["lo"], 512);
  EXPECT_EQ(vocabulary["low</w>"], 513);
  EXPECT_EQ(vocabulary["<|startoftext|>"], 514);
  EXPECT_EQ(vocabulary["<|endoftext|>"], 515);
}

TEST(BpeTrainerTest, TiesGoToTheLowestIdsWhateverTheOrderOfTexts) {
  const std::vector<std::string> forward = {"zy", "ab"};
  const std::vector<std::string> backward = {"ab", "zy"};
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary first, TrainBpe(forward, 10));
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary second, TrainBpe(backward, 10));
  EXPECT_EQ(first.merges_txt, "#version: 0.2\na b</w>\nz y</w>\n");
  EXPECT_EQ(first.merges_txt, second.merges_txt);
  EXPECT_EQ(first.vocab_json, second.vocab_json);
}

TEST(BpeTrainerTest, StopsWhenNoPairIsLeft) {
  const std::vector<std::string> texts = {"aaaa", "x <|endoftext|>"};
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary trained, TrainBpe(texts, 100));
  EXPECT_EQ(trained.merges_txt, "#version: 0.2\na a\na a</w>\naa aa</w>\n");
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary empty, TrainBpe({}, 100));
  EXPECT_EQ(empty.merges_txt, "#version: 0.2\n");
}

TEST(BpeTrainerTest, TheTokenizerReadsIt) {
  const std::vector<std::string> texts = {"A photo of a red circle.", "a photo of a blue circle",
                                          "ein Kreis, größer 10 ½", "日本 red's"};
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary trained, TrainBpe(texts, 500));
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, MakeBpeTokenizer(trained.vocab_json, trained.merges_txt, 77));
  ASSERT_OK_AND_ASSIGN(const TokenizedText one_id_a_word, tokenizer->Tokenize("Red Circle größer"));
  EXPECT_THAT(one_id_a_word.ids, SizeIs(3 + 2)) << "with enough merges every word of the texts is one token";
  EXPECT_EQ(tokenizer->Decode(one_id_a_word.ids), "<|startoftext|>red circle größer <|endoftext|>");
}

TEST(BpeTrainerTest, RefusesBadArguments) {
  const std::vector<std::string> bad = {"a", "\xff"};
  const auto result = TrainBpe(bad, 10);
  EXPECT_THAT(result, FailsWith(absl::StatusCode::kInvalidArgument, "TEXT_NOT_UTF8"));
  EXPECT_EQ(base::FieldOf(result.status()), "texts[1]");
  EXPECT_THAT(TrainBpe({}, -1), FailsWith(absl::StatusCode::kInvalidArgument, "BAD_MERGE_COUNT"));
}

TEST(ByteSymbolsTest, EveryByteHasItsOwnSymbol) {
  const ByteSymbols symbols;
  std::string all;
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) {
    all += symbols.SymbolOf(static_cast<uint8_t>(byte));
    bytes += static_cast<char>(byte);
  }
  EXPECT_EQ(symbols.ToBytes(all), bytes);
  EXPECT_EQ(symbols.ToBytes("日x"), "日x") << "what stands for no byte stays";
}

}  // namespace
}  // namespace modelpatch::model
