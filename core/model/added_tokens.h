// AddedTokens: the tokens of a tokenizer.json that are found in a text as they are, before it is normalised.
//
// Immutable, thread-safe. Source: Hugging Face's tokenizers, added_vocabulary.rs.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::model {

struct AddedToken {
  std::string text;
  int64_t id = 0;
  // Whether the white space to its left and right belongs to it.
  bool takes_left = false;
  bool takes_right = false;
};

class AddedTokens {
 public:
  // `member` may be null. INVALID_ARGUMENT with the field `added_tokens[i]`: TOKENIZER_INVALID, TOKENIZER_UNSUPPORTED
  // (a token that is found in the normalised text, or as a single word only), VOCABULARY_DUPLICATE.
  static absl::StatusOr<AddedTokens> Parse(const nlohmann::json* member);

  const std::vector<AddedToken>& tokens() const { return tokens_; }

  // A stretch of a text: a token, or what lies between tokens.
  struct Part {
    std::string_view text;
    std::optional<int64_t> id;
  };
  // All of `text`, from the left, the longest of the tokens that start at a place.
  std::vector<Part> Split(std::string_view text) const;

 private:
  const AddedToken* Match(std::string_view rest) const;

  std::vector<AddedToken> tokens_;
};

}  // namespace modelpatch::model
