// Learns a byte-pair encoding in CLIP's layout, for models of our own. Thread safety: a pure function.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/base/status.h"
#include "core/model/bpe_tables.h"

namespace modelpatch::model {

// Counts words of `texts`, cleaned and split as the tokenizer does, and merges the most frequent pair of neighbours
// `merges` times, or until no pair is left. The vocabulary is: 256 byte symbols in CLIP's order, the same with </w>,
// one token per merge, <|startoftext|>, <|endoftext|>. Deterministic: among equally frequent pairs the one of the
// lowest ids wins. INVALID_ARGUMENT: BAD_MERGE_COUNT (negative or above 1,000,000), and those of NormalizeText, with
// the field `texts[i]`.
absl::StatusOr<BpeVocabulary> TrainBpe(std::span<const std::string> texts, int64_t merges);

}  // namespace modelpatch::model
