// PreTokenizer: splits normalised text into the words that byte-pair encoding never crosses.
//
// The reference's pattern, matched from the left, case-insensitively: the special tokens `<|startoftext|>` and
// `<|endoftext|>`; 's 't 're 've 'm 'll 'd; a run of letters (\p{L}); one numeric character (\p{N}); a run of anything
// else but white space. Thread safety: an object belongs to one thread; the text must outlive it.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace modelpatch::model {

class PreTokenizer {
 public:
  // `text` must be valid UTF-8.
  explicit PreTokenizer(std::string_view text) : text_(text) {}

  // The next word, a part of the text; nothing at the end.
  std::optional<std::string_view> Next();

 private:
  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace modelpatch::model
