// Any bytes as a tokenizer.json: refused, or two files that make a tokenizer or are refused.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/text.h"
#include "core/model/bpe_tokenizer.h"
#include "core/model/tokenizer_json.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace modelpatch::model;
  using modelpatch::fuzz::Require;
  const auto files = ParseTokenizerJson({reinterpret_cast<const char*>(data), size});
  if (!files.ok()) {
    Require(!modelpatch::base::ReasonOf(files.status()).empty(), "an error has a reason");
    return 0;
  }
  const auto tokenizer = MakeBpeTokenizer(files->vocab_json, files->merges_txt, 16);
  if (!tokenizer.ok()) {
    Require(!modelpatch::base::ReasonOf(tokenizer.status()).empty(), "an error has a reason");
    return 0;
  }
  const auto tokenized = (*tokenizer)->Tokenize("a photo of a dog");
  Require(tokenized.ok() && tokenized->ids.size() >= 2, "a text has ids");
  return 0;
}
