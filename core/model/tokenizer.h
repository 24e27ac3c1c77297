// Tokenizer: text to token ids and back.
//
// Thread safety: immutable after it was made; every method may be called from any number of threads at once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::model {

struct TokenizedText {
  // Start of text, the text, end of text; at most context_length ids, not padded (a model pads with 0).
  std::vector<int32_t> ids;
  // The text did not fit: ids were cut at the context length and the last one replaced by the end of text.
  bool truncated = false;
  // How many ids the whole text has, start and end included.
  int32_t untruncated_length = 0;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // An empty text is valid. INVALID_ARGUMENT: TEXT_NOT_UTF8, TEXT_TOO_LONG (more than 16 MiB).
  virtual absl::StatusOr<TokenizedText> Tokenize(std::string_view text) const = 0;

  // The text of `ids`, each word followed by a space; start and end of text show as the vocabulary spells them. An id
  // outside the vocabulary, and bytes that are not UTF-8, become U+FFFD.
  virtual std::string Decode(std::span<const int32_t> ids) const = 0;

  // Ids are 0 … vocabulary_size() - 1.
  virtual int64_t vocabulary_size() const = 0;
  virtual int64_t context_length() const = 0;
  virtual int32_t start_of_text_id() const = 0;
  virtual int32_t end_of_text_id() const = 0;
};

}  // namespace modelpatch::model
