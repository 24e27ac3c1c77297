#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/random.h"
#include "core/base/text.h"
#include "core/model/bpe_tables.h"
#include "core/model/bpe_tokenizer.h"
#include "core/model/bpe_trainer.h"
#include "core/model/byte_symbols.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::model {
namespace {

using ::modelpatch::testing::FailsWith;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// The 512 byte symbols, `tokens`, and the two special tokens, as JSON text.
std::string VocabularyWith(const std::vector<std::string>& tokens) {
  const ByteSymbols symbols;
  std::string json = "{";
  int next = 0;
  const auto add = [&](const std::string& token) {
    std::string escaped;
    for (const char c : token) {
      if (c == '"' || c == '\\') escaped += '\\';
      escaped += c;
    }
    json += fmt::format("{}\"{}\":{}", next == 0 ? "" : ",", escaped, next);
    ++next;
  };
  for (const char* suffix : {"", "</w>"}) {
    for (const uint8_t byte : symbols.VocabularyOrder()) add(symbols.SymbolOf(byte) + suffix);
  }
  for (const std::string& token : tokens) add(token);
  add("<|startoftext|>");
  add("<|endoftext|>");
  return json + "}";
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::unique_ptr<Tokenizer> TrainedTokenizer(int64_t context_length = 77) {
  const std::vector<std::string> texts = {"a photo of a dog", "a photo of a cat", "the quick brown fox's tail",
                                          "привет мир 123"};
  const BpeVocabulary trained = TrainBpe(texts, 60).value();
  return MakeBpeTokenizer(trained.vocab_json, trained.merges_txt, context_length).value();
}

std::vector<std::string> Tokens(const Tokenizer& tokenizer, std::string_view text) {
  const TokenizedText tokenized = tokenizer.Tokenize(text).value();
  std::vector<std::string> tokens;
  for (const int32_t id : tokenized.ids) tokens.push_back(tokenizer.Decode(std::vector<int32_t>{id}));
  return tokens;
}

TEST(BpeTokenizerTest, MergesTheBestRankFirst) {
  const std::string vocabulary = VocabularyWith({"bc", "ab", "cd</w>"});
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, MakeBpeTokenizer(vocabulary, "b c\na b\nc d</w>\n", 77));
  EXPECT_THAT(Tokens(*tokenizer, "abcd"), ElementsAre("<|startoftext|>", "a", "bc", "d ", "<|endoftext|>"));
  EXPECT_THAT(Tokens(*tokenizer, "abacd"), ElementsAre("<|startoftext|>", "ab", "a", "cd ", "<|endoftext|>"));
}

TEST(BpeTokenizerTest, MergesAllPlacesOfAPairBeforeABetterPairThatComesOutOfIt) {
  // "ab" is rank 1; merging its first place in "xabab" makes the pair (x, ab) of rank 0, which must wait.
  const std::string vocabulary = VocabularyWith({"ab", "xab"});
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, MakeBpeTokenizer(vocabulary, "x ab\na b\n", 77));
  EXPECT_THAT(Tokens(*tokenizer, "xababc"), ElementsAre("<|startoftext|>", "xab", "ab", "c ", "<|endoftext|>"));
}

TEST(BpeTokenizerTest, RepeatedSymbolsMergeFromTheLeft) {
  const std::string vocabulary = VocabularyWith({"aa", "aaa"});
  ASSERT_OK_AND_ASSIGN(const auto tokenizer, MakeBpeTokenizer(vocabulary, "a a\naa a\n", 77));
  EXPECT_THAT(Tokens(*tokenizer, "aaaab"), ElementsAre("<|startoftext|>", "aa", "aa", "b ", "<|endoftext|>"));
  EXPECT_THAT(Tokens(*tokenizer, "aaaaab"), ElementsAre("<|startoftext|>", "aa", "aaa", "b ", "<|endoftext|>"));
}

TEST(BpeTokenizerTest, EmptyTextAndSpecialTokensInTheText) {
  const auto tokenizer = TrainedTokenizer();
  const int32_t start = tokenizer->start_of_text_id();
  const int32_t end = tokenizer->end_of_text_id();
  EXPECT_EQ(end, tokenizer->vocabulary_size() - 1);
  ASSERT_OK_AND_ASSIGN(const TokenizedText empty, tokenizer->Tokenize(" "));
  EXPECT_THAT(empty.ids, ElementsAre(start, end));
  EXPECT_EQ(empty.untruncated_length, 2);
  EXPECT_FALSE(empty.truncated);
  ASSERT_OK_AND_ASSIGN(const TokenizedText special, tokenizer->Tokenize("<|ENDOFTEXT|><|startoftext|>"));
  EXPECT_THAT(special.ids, ElementsAre(start, end, start, end));
}

TEST(BpeTokenizerTest, CutsAtTheContextLength) {
  const auto tokenizer = TrainedTokenizer(5);
  ASSERT_OK_AND_ASSIGN(const TokenizedText fits, tokenizer->Tokenize("1 2 3"));
  EXPECT_THAT(fits.ids, SizeIs(5));
  EXPECT_FALSE(fits.truncated);
  ASSERT_OK_AND_ASSIGN(const TokenizedText cut, tokenizer->Tokenize("1 2 3 4"));
  ASSERT_THAT(cut.ids, SizeIs(5));
  EXPECT_TRUE(cut.truncated);
  EXPECT_EQ(cut.untruncated_length, 6);
  EXPECT_TRUE(std::equal(cut.ids.begin(), cut.ids.begin() + 4, fits.ids.begin()));
  EXPECT_EQ(cut.ids.back(), tokenizer->end_of_text_id());
}

TEST(BpeTokenizerTest, DecodesAnyIds) {
  const auto tokenizer = TrainedTokenizer();
  const auto size = static_cast<int32_t>(tokenizer->vocabulary_size());
  EXPECT_EQ(tokenizer->Decode({}), "");
  EXPECT_EQ(tokenizer->Decode(std::vector<int32_t>{-1, 64, size}), "\ufffda\ufffd");
  // E2 82 is the start of a sequence of three bytes: one U+FFFD; C3 alone another.
  ASSERT_OK_AND_ASSIGN(const BpeTables tables, ParseBpeTables(VocabularyWith({}), ""));
  const std::vector<int32_t> broken = {tables.byte_ids[0xe2], tables.byte_ids[0x82], tables.byte_ids[0xc3],
                                       tables.byte_ids['x']};
  EXPECT_EQ(tokenizer->Decode(broken), "\ufffd\ufffdx");
}

TEST(BpeTokenizerTest, RefusesBadText) {
  EXPECT_THAT(TrainedTokenizer()->Tokenize("a\xff"), FailsWith(kInvalid, "TEXT_NOT_UTF8"));
}

TEST(BpeTokenizerTest, RandomTextsNeverCrashAndComeBack) {
  const auto tokenizer = TrainedTokenizer(1 << 16);
  for (uint64_t example = 0; example < 2000; ++example) {
    base::RandomStream random(7, "random text", 0, example);
    std::string text;
    const uint64_t length = random.Below(60);
    for (uint64_t i = 0; i < length; ++i) {
      // Mostly below U+3000, where the case and normalisation rules are; sometimes anywhere.
      uint64_t c = random.Below(4) == 0 ? random.Below(0x110000)
                                        : (random.Below(2) == 0 ? random.Below(0x80) : random.Below(0x3000));
      if (c >= 0xd800 && c < 0xe000) c = '&';
      if (c < 0x80) {
        text += static_cast<char>(c);
      } else if (c < 0x800) {
        text += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
      } else if (c < 0x10000) {
        text += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
                 static_cast<char>(0x80 | (c & 0x3f))};
      } else {
        text += {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3f)),
                 static_cast<char>(0x80 | (c >> 6 & 0x3f)), static_cast<char>(0x80 | (c & 0x3f))};
      }
    }
    ASSERT_OK_AND_ASSIGN(const TokenizedText tokenized, tokenizer->Tokenize(text));
    ASSERT_GE(tokenized.ids.size(), 2u);
    for (const int32_t id : tokenized.ids) ASSERT_TRUE(id >= 0 && id < tokenizer->vocabulary_size());
    // What is decoded is valid, and encodes to the same ids again: nothing is lost but the spaces between words.
    const std::vector<int32_t> inner(tokenized.ids.begin() + 1, tokenized.ids.end() - 1);
    const std::string decoded = tokenizer->Decode(inner);
    ASSERT_TRUE(base::IsValidUtf8(decoded));
    if (text.find('&') != std::string::npos) continue;  // a reference may come together that was none
    ASSERT_OK_AND_ASSIGN(const TokenizedText again, tokenizer->Tokenize(decoded));
    EXPECT_EQ(again.ids, tokenized.ids) << "example " << example << ": " << decoded;
  }
}

TEST(BpeTokenizerTest, OneHugeWordIsNotQuadratic) {
  const auto tokenizer = TrainedTokenizer();
  const auto start = std::chrono::steady_clock::now();
  ASSERT_OK_AND_ASSIGN(const TokenizedText tokenized, tokenizer->Tokenize(std::string(4 << 20, 'a')));
  EXPECT_TRUE(tokenized.truncated);
  // Far above what n log n takes under a sanitizer, far below n² (2^44 steps).
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST(BpeTokenizerTest, ThreadsShareOne) {
  const auto tokenizer = TrainedTokenizer();
  const std::vector<int32_t> expected = tokenizer->Tokenize("a photo of a brown fox").value().ids;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k) EXPECT_EQ(tokenizer->Tokenize("a photo of a brown fox").value().ids, expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(BpeTablesTest, AcceptsAnyHeaderAndWindowsLineEnds) {
  const std::string vocabulary = VocabularyWith({"ab", "abc"});
  for (const char* merges :
       {"a b\nab c", "#version: 0.2\na b\nab c\n", "#version: 0.2\r\na b\r\nab c\r\n\r\n\n",
        "\"bpe_simple_vocab_16e6.txt#version: 0.2\na b\nab c\n", "two words\na b\nab c\n", "\na b\nab c\n"}) {
    ASSERT_OK_AND_ASSIGN(const BpeTables tables, ParseBpeTables(vocabulary, merges));
    ASSERT_THAT(tables.merges, SizeIs(2)) << merges;
    EXPECT_EQ(tables.merges.at(BpeTables::PairKey(tables.byte_ids['a'], tables.byte_ids['b'])).rank, 0);
    EXPECT_EQ(tables.merges.at(BpeTables::PairKey(512, tables.byte_ids['c'])).id, 513);
  }
  EXPECT_OK(ParseBpeTables(VocabularyWith({}), "")) << "no merges at all, and none needed";
}

TEST(BpeTablesTest, RefusesMergesThatDoNotMakeEveryToken) {
  const std::string vocabulary = VocabularyWith({"ab", "abc"});
  for (const char* merges : {"", "#version: 0.2", "a b", "a  b\nab c"}) {
    EXPECT_THAT(ParseBpeTables(vocabulary, merges), FailsWith(kInvalid, "MERGES_INCOMPLETE")) << merges;
  }
  const auto cut = ParseBpeTables(vocabulary, "#version: 0.2\na b\n");
  EXPECT_THAT(std::string(cut.status().message()), ::testing::HasSubstr("makes 1 of the 516 tokens"));
  EXPECT_THAT(std::string(cut.status().message()), ::testing::HasSubstr("'abc' (id 513)"));
}

TEST(BpeTablesTest, RefusesBadVocabularies) {
  const std::string good = VocabularyWith({"ab"});
  const auto fails = [](const char* reason) { return FailsWith(kInvalid, reason); };
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("{"), std::string("3"), std::string("\"\""), good + "x",
        good + std::string(1, '\0'), std::string(R"({"a":"b"})"), std::string(R"({"a":{}})"),
        std::string(R"({"a":[1]})"), std::string(R"({"a":null})"), std::string("{\"\xff\":0}"),
        std::string(100'000, '[')}) {
    EXPECT_THAT(ParseBpeTables(bad, ""), fails("VOCABULARY_NOT_JSON")) << bad.substr(0, 40);
  }
  EXPECT_THAT(ParseBpeTables("{}", ""), fails("VOCABULARY_MISSING_TOKEN"));
  EXPECT_THAT(ParseBpeTables(Replaced(good, "\"ab\":512", "\"b\":512"), ""), fails("VOCABULARY_DUPLICATE")) << "token";
  EXPECT_THAT(ParseBpeTables(Replaced(good, "\"ab\":512", "\"ab\":511"), ""), fails("VOCABULARY_DUPLICATE")) << "id";
  for (const char* id : {"-1", "1.5", "515", "4294967296", "18446744073709551615", "1e2"}) {
    EXPECT_THAT(ParseBpeTables(Replaced(good, ":512", std::string(":") + id), ""), fails("VOCABULARY_BAD_ID")) << id;
  }
  EXPECT_THAT(ParseBpeTables(Replaced(good, "\"ab\"", "\"\""), ""), fails("VOCABULARY_EMPTY_TOKEN"));
  EXPECT_THAT(ParseBpeTables(Replaced(good, "<|startoftext|>", "start"), ""), fails("VOCABULARY_MISSING_TOKEN"));
  EXPECT_THAT(ParseBpeTables(Replaced(good, "<|endoftext|>", "end"), ""), fails("VOCABULARY_MISSING_TOKEN"));
  EXPECT_THAT(ParseBpeTables(Replaced(good, "\"k\"", "\"kk\""), ""), fails("VOCABULARY_MISSING_TOKEN"));
  EXPECT_THAT(ParseBpeTables(Replaced(good, "\"k</w>\"", "\"kk</w>\""), ""), fails("VOCABULARY_MISSING_TOKEN"));
}

TEST(BpeTablesTest, RefusesBadMerges) {
  const std::string vocabulary = VocabularyWith({"ab"});
  const auto fails = [](const char* reason) { return FailsWith(kInvalid, reason); };
  const std::string header = "#version: 0.2\n";
  for (const char* bad : {"a", "a  b", " a b", "a b ", "a b c", "a b\n\na b", "a\tb", "a b\n#version: 0.2 x"}) {
    EXPECT_THAT(ParseBpeTables(vocabulary, header + bad), fails("MERGES_BAD_LINE")) << bad;
  }
  EXPECT_THAT(ParseBpeTables(vocabulary, header + "a c"), fails("MERGES_UNKNOWN_TOKEN"));
  EXPECT_THAT(ParseBpeTables(vocabulary, header + "aa b"), fails("MERGES_UNKNOWN_TOKEN"));
  EXPECT_THAT(ParseBpeTables(vocabulary, "a b\na b"), fails("MERGES_DUPLICATE"));
  EXPECT_THAT(ParseBpeTables(vocabulary, "a \xff"), fails("MERGES_NOT_UTF8"));
}

TEST(BpeTablesTest, RefusesBadContextLengths) {
  for (const int64_t length : {int64_t{-1}, int64_t{0}, int64_t{1}, int64_t{1} << 40}) {
    EXPECT_THAT(MakeBpeTokenizer(VocabularyWith({}), "", length), FailsWith(kInvalid, "BAD_CONTEXT_LENGTH")) << length;
  }
}

}  // namespace
}  // namespace modelpatch::model
