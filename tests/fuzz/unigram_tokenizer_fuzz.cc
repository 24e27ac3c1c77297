// Any bytes as a Unigram tokenizer.json after a line of text that it then tokenises.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/text.h"
#include "core/model/unigram_tokenizer.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using modelpatch::fuzz::Require;
  constexpr int64_t kContextLength = 16;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string_view text = bytes.substr(0, bytes.find('\n'));
  const auto tokenizer = modelpatch::model::MakeUnigramTokenizer(bytes.substr(text.size()), kContextLength);
  if (!tokenizer.ok()) {
    Require(!modelpatch::base::ReasonOf(tokenizer.status()).empty(), "an error has a reason");
    return 0;
  }
  const auto tokenized = (*tokenizer)->Tokenize(text);
  if (!tokenized.ok()) {
    Require(!modelpatch::base::ReasonOf(tokenized.status()).empty(), "an error has a reason");
    return 0;
  }
  Require(modelpatch::base::IsValidUtf8(text), "only UTF-8 has ids");
  Require(!tokenized->ids.empty() && tokenized->ids.size() <= kContextLength, "the length is within the context");
  Require(tokenized->ids.back() == (*tokenizer)->end_of_text_id(), "the end of text ends it");
  for (const int32_t id : tokenized->ids) {
    Require(id >= 0 && id < (*tokenizer)->vocabulary_size(), "ids are in range");
  }
  Require(modelpatch::base::IsValidUtf8((*tokenizer)->Decode(tokenized->ids)), "decoded text is UTF-8");
  return 0;
}
