#include "core/model/bpe_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/model/bpe_tables.h"
#include "core/model/byte_symbols.h"
#include "core/model/pre_tokenizer.h"
#include "core/model/text_normalizer.h"

namespace modelpatch::model {
namespace {

constexpr int64_t kMinimumContextLength = 2;
constexpr int64_t kMaximumContextLength = 1 << 20;
constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// Merges the symbols of one word. Holds its buffers, so that a text costs few allocations; used by one call at a time.
class WordEncoder {
 public:
  explicit WordEncoder(const BpeTables& tables) : tables_(tables) {}

  // Appends the ids of `word` (not empty) to `ids`.
  void Encode(std::string_view word, std::vector<int32_t>& ids) {
    const auto size = static_cast<int32_t>(word.size());
    symbols_.resize(size);
    for (int32_t i = 0; i < size; ++i) {
      const auto byte = static_cast<uint8_t>(word[i]);
      symbols_[i] = {i + 1 == size ? tables_.last_byte_ids[byte] : tables_.byte_ids[byte], i - 1, i + 1};
    }
    candidates_.clear();
    for (int32_t i = 0; i + 1 < size; ++i) AddCandidate(i);
    // The reference merges all places of the best pair, from the left, before it looks for the next best pair. A new
    // pair of a still better rank may come up meanwhile, so a whole rank is taken out of the heap before any of it is
    // merged.
    while (!candidates_.empty()) {
      const int32_t rank = RankOf(candidates_.front());
      places_.clear();
      while (!candidates_.empty() && RankOf(candidates_.front()) == rank) {
        places_.push_back(PlaceOf(candidates_.front()));
        std::pop_heap(candidates_.begin(), candidates_.end(), std::greater<>());
        candidates_.pop_back();
      }
      for (const int32_t place : places_) Merge(place, rank);
    }
    for (int32_t i = 0; i < size; i = symbols_[i].next) ids.push_back(symbols_[i].id);
  }

 private:
  static constexpr int32_t kConsumed = -1;

  // A linked list within a vector: the symbol at i covers the bytes up to `next`.
  struct Symbol {
    int32_t id;
    int32_t previous;
    int32_t next;
  };

  // A candidate is rank and place in one number: the smallest is the best rank's leftmost place.
  static int32_t RankOf(uint64_t candidate) { return static_cast<int32_t>(candidate >> 32); }
  static int32_t PlaceOf(uint64_t candidate) { return static_cast<int32_t>(candidate & 0xffffffff); }

  const BpeMerge* FindMerge(int32_t place) const {
    const int32_t next = symbols_[place].next;
    if (symbols_[place].id == kConsumed || static_cast<size_t>(next) >= symbols_.size()) return nullptr;
    const auto found = tables_.merges.find(BpeTables::PairKey(symbols_[place].id, symbols_[next].id));
    return found == tables_.merges.end() ? nullptr : &found->second;
  }

  void AddCandidate(int32_t place) {
    if (const BpeMerge* merge = FindMerge(place)) {
      candidates_.push_back(static_cast<uint64_t>(merge->rank) << 32 | static_cast<uint32_t>(place));
      std::push_heap(candidates_.begin(), candidates_.end(), std::greater<>());
    }
  }

  void Merge(int32_t place, int32_t rank) {
    const BpeMerge* merge = FindMerge(place);
    if (merge == nullptr || merge->rank != rank) return;  // a neighbour was merged since
    Symbol& symbol = symbols_[place];
    Symbol& consumed = symbols_[symbol.next];
    symbol.id = merge->id;
    symbol.next = consumed.next;
    consumed.id = kConsumed;
    if (static_cast<size_t>(symbol.next) < symbols_.size()) symbols_[symbol.next].previous = place;
    if (symbol.previous >= 0) AddCandidate(symbol.previous);
    AddCandidate(place);
  }

  const BpeTables& tables_;
  std::vector<Symbol> symbols_;
  std::vector<uint64_t> candidates_;  // a heap
  std::vector<int32_t> places_;
};

// The length of the valid UTF-8 sequence at the start of `bytes`; or minus the length of the invalid part that Unicode
// replaces by one U+FFFD (the longest start of a valid sequence, at least one byte).
int SequenceLength(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (lead < 0x80) return 1;
  const int length =
      lead >= 0xc2 && lead < 0xe0 ? 2 : (lead >= 0xe0 && lead < 0xf0 ? 3 : (lead >= 0xf0 && lead < 0xf5 ? 4 : 0));
  for (int i = 1; i < length; ++i) {
    if (static_cast<size_t>(i) >= bytes.size()) return -i;
    const auto byte = static_cast<unsigned char>(bytes[i]);
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (i == 1) {
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    }
    if (byte < low || byte > high) return -i;
  }
  return length == 0 ? -1 : length;
}

std::string ReplaceInvalidUtf8(std::string_view bytes) {
  std::string result;
  while (!bytes.empty()) {
    const int length = SequenceLength(bytes);
    result += length > 0 ? bytes.substr(0, length) : kReplacement;
    bytes.remove_prefix(std::abs(length));
  }
  return result;
}

class BpeTokenizer final : public Tokenizer {
 public:
  BpeTokenizer(BpeTables tables, int64_t context_length) : tables_(std::move(tables)), context_length_(context_length) {
    const ByteSymbols symbols;
    token_bytes_.reserve(tables_.tokens.size());
    for (const std::string& token : tables_.tokens) token_bytes_.push_back(symbols.ToBytes(token));
  }

  absl::StatusOr<TokenizedText> Tokenize(std::string_view text) const override {
    MP_ASSIGN_OR_RETURN(const std::string normalized, NormalizeText(text));
    TokenizedText result;
    result.ids.reserve(std::min<size_t>(normalized.size() + 2, 128));
    result.ids.push_back(tables_.start_of_text_id);
    WordEncoder encoder(tables_);
    PreTokenizer words(normalized);
    while (const std::optional<std::string_view> word = words.Next()) {
      if (*word == kStartOfText) {
        result.ids.push_back(tables_.start_of_text_id);
      } else if (*word == kEndOfText) {
        result.ids.push_back(tables_.end_of_text_id);
      } else {
        encoder.Encode(*word, result.ids);
      }
    }
    result.ids.push_back(tables_.end_of_text_id);
    result.untruncated_length = static_cast<int32_t>(result.ids.size());
    result.truncated = result.untruncated_length > context_length_;
    if (result.truncated) {
      result.ids.resize(context_length_);
      result.ids.shrink_to_fit();
      result.ids.back() = tables_.end_of_text_id;
    }
    return result;
  }

  std::string Decode(std::span<const int32_t> ids) const override {
    std::string bytes;
    for (const int32_t id : ids) {
      const bool known = id >= 0 && static_cast<size_t>(id) < token_bytes_.size();
      bytes += known ? std::string_view(token_bytes_[id]) : kReplacement;
    }
    // Replaced in the decoded text, as the reference does: a text that contains "</w>" itself does not come back.
    std::string result;
    const std::string text = ReplaceInvalidUtf8(bytes);
    std::string_view rest = text;
    for (size_t found; (found = rest.find(kEndOfWord)) != std::string_view::npos;
         rest.remove_prefix(found + kEndOfWord.size())) {
      result += rest.substr(0, found);
      result += ' ';
    }
    return result += rest;
  }

  int64_t vocabulary_size() const override { return static_cast<int64_t>(tables_.tokens.size()); }
  int64_t context_length() const override { return context_length_; }
  int32_t start_of_text_id() const override { return tables_.start_of_text_id; }
  int32_t end_of_text_id() const override { return tables_.end_of_text_id; }

 private:
  const BpeTables tables_;
  const int64_t context_length_;
  std::vector<std::string> token_bytes_;  // by id
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeBpeTokenizer(std::string_view vocab_json, std::string_view merges_txt,
                                                            int64_t context_length) {
  if (context_length < kMinimumContextLength || context_length > kMaximumContextLength) {
    return base::InvalidArgument("BAD_CONTEXT_LENGTH",
                                 fmt::format("the context length is {}; it must be from {} to {}", context_length,
                                             kMinimumContextLength, kMaximumContextLength));
  }
  MP_ASSIGN_OR_RETURN(BpeTables tables, ParseBpeTables(vocab_json, merges_txt));
  return std::make_unique<BpeTokenizer>(std::move(tables), context_length);
}

}  // namespace modelpatch::model
