// Charsmap: the character rewriting rules that SentencePiece compiles into its models, read as they are.
//
// A rule says what a sequence of bytes becomes; the published maps are close to NFKC and are not the same. The format:
// the trie's size in bytes (u32, little-endian), the trie (a Darts double array of u32 units), and the replacements,
// each ended by NUL. Immutable, thread-safe. Source: sentencepiece normalizer.cc; the order of application is that of
// Hugging Face's tokenizers, precompiled.rs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::model {

class Charsmap {
 public:
  // INVALID_ARGUMENT (TOKENIZER_INVALID): too short, too long (more than 16 MiB), or replacements that are not UTF-8.
  static absl::StatusOr<Charsmap> Parse(std::string_view bytes);

  // `text` (valid UTF-8) rewritten: a grapheme cluster of at most five bytes as a whole where a rule is a prefix of it,
  // else its characters one by one. INVALID_ARGUMENT: TOKENIZER_INVALID (a rule whose replacement lies outside),
  // TEXT_TOO_LONG (a result above kMaximumTextBytes).
  absl::StatusOr<std::string> Apply(std::string_view text) const;

 private:
  static constexpr int64_t kNoRule = -1;

  // The place of the replacement for the shortest rule that `bytes` starts with, or kNoRule.
  int64_t FindRule(std::string_view bytes) const;
  // Appends what `part` becomes; false if there is no rule for it.
  absl::StatusOr<bool> Rewrite(std::string_view part, std::string& result) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace modelpatch::model
