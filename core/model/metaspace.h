// Metaspace: the `pre_tokenizer` of a SentencePiece-like tokenizer.json, which makes spaces visible and cuts a text
// before each of them, so that no piece reaches over the start of a word.
//
// Known are Metaspace, and a Sequence of WhitespaceSplit and Metaspace. Immutable, thread-safe. Source: Hugging Face's
// tokenizers, pre_tokenizers/metaspace.rs.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace modelpatch::model {

class Metaspace {
 public:
  // INVALID_ARGUMENT: TOKENIZER_UNSUPPORTED, TOKENIZER_INVALID, with the field `pre_tokenizer…`.
  static absl::StatusOr<Metaspace> Parse(const nlohmann::json* member);

  // Calls `on_word` for each word of `text` (valid UTF-8), in order.
  void Split(std::string_view text, const std::function<void(std::string_view)>& on_word) const;

 private:
  absl::Status Read(const nlohmann::json& member);
  void SplitWord(std::string_view text, const std::function<void(std::string_view)>& on_word) const;

  std::string mark_;
  bool prepends_mark_ = true;
  bool splits_ = true;
  bool splits_white_space_first_ = false;
};

}  // namespace modelpatch::model
