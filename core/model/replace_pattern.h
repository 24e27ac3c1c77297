// ReplacePattern: what the `Replace` step of a tokenizer.json looks for.
//
// A literal text, or a regular expression of the small kind that tokenizers use: alternatives of one character, one
// class of characters ([…], \s) each, which may repeat (+, {n,}). Everything else is refused: a pattern that is
// understood otherwise than its author meant would change tokens unseen. Immutable, thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::model {

class ReplacePattern {
 public:
  // INVALID_ARGUMENT (TOKENIZER_INVALID): an empty text.
  static absl::StatusOr<ReplacePattern> OfText(std::string_view text);
  // INVALID_ARGUMENT (TOKENIZER_UNSUPPORTED) names the expression.
  static absl::StatusOr<ReplacePattern> OfRegex(std::string_view expression);

  // `text` (valid UTF-8) with every match, from the left, replaced by `content`. INVALID_ARGUMENT (TEXT_TOO_LONG): a
  // result above kMaximumTextBytes.
  absl::StatusOr<std::string> Replace(std::string_view text, std::string_view content) const;

 private:
  friend class PatternReader;

  // A set of characters, to be found at least `minimum` times in a row, and as often as they follow.
  struct Alternative {
    std::vector<std::pair<char32_t, char32_t>> ranges;
    bool white_space = false;
    bool negated = false;
    size_t minimum = 1;
    bool repeats = false;

    bool Contains(char32_t c) const;
  };

  // The bytes of the match at the start of `rest`, or 0.
  size_t Match(std::string_view rest) const;

  std::string text_;
  std::vector<Alternative> alternatives_;
};

}  // namespace modelpatch::model
