// Any bytes as a text (first byte even), as a vocabulary and merges with an empty line between (1 more than a multiple
// of 4), or as merges alone (3 more).
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/text.h"
#include "core/model/bpe_tables.h"
#include "core/model/bpe_tokenizer.h"
#include "core/model/bpe_trainer.h"
#include "tests/fuzz/require.h"

namespace {

using modelpatch::fuzz::Require;
using namespace modelpatch::model;

constexpr int64_t kContextLength = 16;

std::unique_ptr<Tokenizer> MakeTokenizer() {
  const std::vector<std::string> texts = {"a photo of a dog", "the number: \"7\"", "größer, don't"};
  const BpeVocabulary trained = TrainBpe(texts, 40).value();
  return MakeBpeTokenizer(trained.vocab_json, trained.merges_txt, kContextLength).value();
}

void TestText(const Tokenizer& tokenizer, std::string_view text) {
  const auto tokenized = tokenizer.Tokenize(text);
  Require(tokenized.ok() == modelpatch::base::IsValidUtf8(text), "every UTF-8 text has ids");
  if (!tokenized.ok()) return;
  const auto length = static_cast<int64_t>(tokenized->ids.size());
  Require(length >= 2 && length <= kContextLength, "the length is within the context");
  Require(tokenized->truncated == (tokenized->untruncated_length > kContextLength), "a cut text says so");
  Require(tokenized->ids.front() == tokenizer.start_of_text_id() && tokenized->ids.back() == tokenizer.end_of_text_id(),
          "start and end of text");
  for (const int32_t id : tokenized->ids) Require(id >= 0 && id < tokenizer.vocabulary_size(), "ids are in range");
  Require(modelpatch::base::IsValidUtf8(tokenizer.Decode(tokenized->ids)), "decoded text is UTF-8");
}

void TestVocabulary(std::string_view bytes) {
  const size_t gap = bytes.find("\n\n");
  const std::string_view merges = gap == std::string_view::npos ? "" : bytes.substr(gap + 2);
  const auto tokenizer = MakeBpeTokenizer(bytes.substr(0, gap), merges, kContextLength);
  if (tokenizer.ok()) {
    TestText(**tokenizer, "A photo of a dog's 7 &amp; größer");
  } else {
    Require(!modelpatch::base::ReasonOf(tokenizer.status()).empty(), "an error has a reason");
  }
}

void TestMerges(std::string_view merges) {
  constexpr int64_t kVocabularySize = 518;
  const auto vocabulary = VocabularyOfMerges(merges, kVocabularySize);
  if (!vocabulary.ok()) {
    Require(!modelpatch::base::ReasonOf(vocabulary.status()).empty(), "an error has a reason");
    return;
  }
  const auto tables = ParseBpeTables(vocabulary->vocab_json, vocabulary->merges_txt);
  if (tables.ok()) {
    Require(tables->tokens.size() == kVocabularySize, "the vocabulary is as large as it was asked to be");
  } else {
    Require(!modelpatch::base::ReasonOf(tables.status()).empty(), "an error has a reason");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::unique_ptr<Tokenizer> tokenizer = MakeTokenizer();
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    TestText(*tokenizer, rest);
  } else if (data[0] % 4 == 1) {
    TestVocabulary(rest);
  } else {
    TestMerges(rest);
  }
  return 0;
}
