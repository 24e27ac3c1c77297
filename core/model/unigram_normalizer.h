// UnigramNormalizer: the `normalizer` of a tokenizer.json, a row of steps that a text goes through before it is cut.
//
// Known are Sequence, Lowercase, NFC, NFD, NFKC, NFKD, Strip, Replace and Precompiled; every other step is refused by
// name. Immutable, thread-safe. Source: Hugging Face's tokenizers, normalizers.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::model {

class UnigramNormalizer {
 public:
  // `member` may be null: nothing is done. INVALID_ARGUMENT: TOKENIZER_UNSUPPORTED, TOKENIZER_INVALID, with the field
  // `normalizer…`.
  static absl::StatusOr<UnigramNormalizer> Parse(const nlohmann::json* member);

  // `text` is valid UTF-8, and so is the result. INVALID_ARGUMENT: TEXT_TOO_LONG, TOKENIZER_INVALID (see Charsmap).
  absl::StatusOr<std::string> Apply(std::string text) const;

 private:
  using Step = std::function<absl::StatusOr<std::string>(std::string)>;

  absl::Status Append(const nlohmann::json& member, const std::string& field);
  absl::Status AppendReplace(const nlohmann::json& member);
  absl::Status AppendPrecompiled(const nlohmann::json& member);

  std::vector<Step> steps_;
};

}  // namespace modelpatch::model
