// The tokenizer of SigLIP and other SentencePiece models: a Unigram `tokenizer.json` of Hugging Face's tokenizers.
//
// Its special tokens are cut out of a text (added_tokens.h), the rest is normalised (unigram_normalizer.h), cut into
// words (metaspace.h), and each word into its most probable pieces (unigram_model.h); the end of text follows. What the
// file says is done as it says; what is not known in it is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/base/status.h"
#include "core/model/tokenizer.h"

namespace modelpatch::model {

// `context_length` (64 for the published models) counts the end of text; it is at least 2. The `post_processor` adds
// one token after the text, the end of text, and none before: start_of_text_id() is -1. INVALID_ARGUMENT:
// TOKENIZER_NOT_JSON, TOKENIZER_UNSUPPORTED and TOKENIZER_INVALID (with the member's path), VOCABULARY_* (see
// unigram_model.h), BAD_CONTEXT_LENGTH.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeUnigramTokenizer(std::string_view tokenizer_json,
                                                                int64_t context_length);

}  // namespace modelpatch::model
