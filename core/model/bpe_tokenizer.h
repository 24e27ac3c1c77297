// The byte-level byte-pair encoding of OpenAI's CLIP, over `vocab.json` and `merges.txt`.
//
// A text is normalised (text_normalizer.h), split into words (pre_tokenizer.h), each word's UTF-8 bytes become byte
// symbols (byte_symbols.h), the last with `</w>`, and neighbours are merged, the earliest line of merges.txt first. The
// cost is O(n log n) for a word of n bytes, so that one enormous word is no weapon; nothing is cached.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/base/status.h"
#include "core/model/tokenizer.h"

namespace modelpatch::model {

// `context_length` (77 for the published models) counts the start and the end of text; it is at least 2.
// INVALID_ARGUMENT: VOCABULARY_* and MERGES_* (see bpe_tables.h), BAD_CONTEXT_LENGTH.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeBpeTokenizer(std::string_view vocab_json, std::string_view merges_txt,
                                                            int64_t context_length);

}  // namespace modelpatch::model
