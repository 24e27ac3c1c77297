// `tokenizer.json` of Hugging Face's tokenizers, of which CLIP's kind is read. Thread safety: a pure function.
#pragma once

#include <string_view>

#include "core/base/status.h"
#include "core/model/bpe_tables.h"

namespace modelpatch::model {

// The vocabulary and the merges of a byte-level BPE with the word ending </w>, as the two files that say the same.
// Texts are cleaned and split as CLIP does; a file that says otherwise is refused (tokenizer_pipeline.h).
// INVALID_ARGUMENT: TOKENIZER_NOT_JSON, TOKENIZER_UNSUPPORTED (another kind of model or pipeline, or an added token
// that CLIP does not have; the field is the member's path), TOKENIZER_INVALID (a member that is missing, of another
// type or contradicts another), VOCABULARY_DUPLICATE.
absl::StatusOr<BpeVocabulary> ParseTokenizerJson(std::string_view tokenizer_json);

}  // namespace modelpatch::model
