// BpeTables: a vocabulary and its merges, parsed and checked against each other.
//
// Thread safety: a plain value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/base/status.h"

namespace modelpatch::model {

inline constexpr std::string_view kStartOfText = "<|startoftext|>";
inline constexpr std::string_view kEndOfText = "<|endoftext|>";
inline constexpr std::string_view kEndOfWord = "</w>";

// A vocabulary and its merges as text, in the form of vocab.json and merges.txt.
struct BpeVocabulary {
  std::string vocab_json;
  std::string merges_txt;
};

struct BpeMerge {
  int32_t rank;  // place among the merges of merges.txt; lower ranks merge first
  int32_t id;    // of the merged token
};

struct BpeTables {
  std::vector<std::string> tokens;                 // by id, in byte symbols, as vocab.json spells them
  absl::flat_hash_map<uint64_t, BpeMerge> merges;  // by PairKey
  int32_t byte_ids[256];                           // of a byte inside a word
  int32_t last_byte_ids[256];                      // of the last byte of a word: its symbol with </w>
  int32_t start_of_text_id = 0;
  int32_t end_of_text_id = 0;

  static uint64_t PairKey(int32_t first, int32_t second) {
    return static_cast<uint64_t>(static_cast<uint32_t>(first)) << 32 | static_cast<uint32_t>(second);
  }
};

// `vocab_json` is one object of token to id. `merges_txt` has two tokens a line, separated by one space; a first line
// that is no merge of this vocabulary is a header and skipped; CRLF line ends and empty lines at the end are accepted.
// INVALID_ARGUMENT: VOCABULARY_NOT_JSON, VOCABULARY_DUPLICATE (a token or an id twice), VOCABULARY_BAD_ID (ids are not
// 0 … n-1), VOCABULARY_EMPTY_TOKEN, VOCABULARY_MISSING_TOKEN (start or end of text, or a byte with or without </w>, so
// that not every text could be encoded), MERGES_NOT_UTF8, MERGES_BAD_LINE, MERGES_UNKNOWN_TOKEN (a line whose parts or
// result the vocabulary lacks), MERGES_DUPLICATE, MERGES_INCOMPLETE (a token is neither one of those above nor made by
// any merge, so that the merges are not the vocabulary's).
absl::StatusOr<BpeTables> ParseBpeTables(std::string_view vocab_json, std::string_view merges_txt);

// The vocabulary of merges alone, numbered as OpenAI's own tokenizer does (clip/simple_tokenizer.py): 256 byte symbols,
// the same with </w>, one token for each of the first merges after the first line, which is a header, as many as
// `vocabulary_size` leaves room for, start of text, end of text. INVALID_ARGUMENT: MERGES_NOT_UTF8, MERGES_BAD_LINE,
// MERGES_DUPLICATE, MERGES_INCOMPLETE.
absl::StatusOr<BpeVocabulary> VocabularyOfMerges(std::string_view merges_txt, int64_t vocabulary_size);

}  // namespace modelpatch::model
