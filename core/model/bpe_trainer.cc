#include "core/model/bpe_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <queue>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "core/model/bpe_tables.h"
#include "core/model/byte_symbols.h"
#include "core/model/pre_tokenizer.h"
#include "core/model/text_normalizer.h"

namespace modelpatch::model {
namespace {

constexpr int64_t kMaximumMerges = 1'000'000;

struct Word {
  std::vector<int32_t> ids;
  int64_t count = 0;
};

// The words of all texts with how often each occurs, in the order they first occur.
absl::StatusOr<std::vector<std::pair<std::string, int64_t>>> CountWords(std::span<const std::string> texts) {
  std::vector<std::pair<std::string, int64_t>> words;
  absl::flat_hash_map<std::string, size_t> indices;
  for (size_t i = 0; i < texts.size(); ++i) {
    absl::StatusOr<std::string> text = NormalizeText(texts[i]);
    if (!text.ok()) return base::WithField(text.status(), fmt::format("texts[{}]", i));
    PreTokenizer splitter(*text);
    while (const std::optional<std::string_view> word = splitter.Next()) {
      if (*word == kStartOfText || *word == kEndOfText) continue;
      const auto [found, is_new] = indices.try_emplace(std::string(*word), words.size());
      if (is_new) words.emplace_back(*word, 0);
      ++words[found->second].second;
    }
  }
  return words;
}

class Trainer {
 public:
  explicit Trainer(const std::vector<std::pair<std::string, int64_t>>& words) {
    const ByteSymbols symbols;
    int32_t ids[256];
    for (const std::string_view suffix : {std::string_view(), kEndOfWord}) {
      for (const uint8_t byte : symbols.VocabularyOrder()) {
        if (suffix.empty()) ids[byte] = static_cast<int32_t>(tokens_.size());
        AddToken(symbols.SymbolOf(byte) + std::string(suffix));
      }
    }
    constexpr int32_t kBytes = 256;
    for (const auto& [text, count] : words) {
      Word word{.count = count};
      for (const char c : text) word.ids.push_back(ids[static_cast<uint8_t>(c)]);
      word.ids.back() += kBytes;  // the same byte at the end of a word
      words_.push_back(std::move(word));
    }
    for (size_t i = 0; i < words_.size(); ++i) CountPairs(i, 1);
  }

  // False if no pair is left.
  bool MergeBestPair() {
    while (!queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      const auto pair = pairs_.find(best.key);
      if (pair == pairs_.end() || pair->second.count != best.count) continue;  // its count has changed since
      const auto first = static_cast<int32_t>(best.key >> 32);
      const auto second = static_cast<int32_t>(best.key & 0xffffffff);
      std::string merged = tokens_[first] + tokens_[second];
      // The same text may come together in two ways; a vocabulary has it once, so the second way stays unmerged.
      if (known_.contains(merged)) continue;
      merges_txt_ += tokens_[first] + " " + tokens_[second] + "\n";
      const auto id = static_cast<int32_t>(tokens_.size());
      AddToken(std::move(merged));
      std::vector<size_t> places(pair->second.words.begin(), pair->second.words.end());
      for (const size_t word : places) MergeInWord(word, first, second, id);
      return true;
    }
    return false;
  }

  BpeVocabulary Finish() && {
    AddToken(std::string(kStartOfText));
    AddToken(std::string(kEndOfText));
    std::string json = "{";
    for (size_t i = 0; i < tokens_.size(); ++i) {
      json += fmt::format("{}{}: {}", i == 0 ? "" : ", ", nlohmann::json(tokens_[i]).dump(), i);
    }
    return {json + "}\n", "#version: 0.2\n" + merges_txt_};
  }

 private:
  struct Pair {
    int64_t count = 0;
    absl::flat_hash_set<size_t> words;  // where it occurs, or did
  };
  struct Candidate {
    int64_t count;
    uint64_t key;
    // The most frequent first; among equals the lowest ids.
    bool operator<(const Candidate& other) const { return std::tie(count, other.key) < std::tie(other.count, key); }
  };

  void AddToken(std::string token) {
    known_.insert(token);
    tokens_.push_back(std::move(token));
  }

  // Adds (sign 1) or takes away (sign -1) the pairs of a word.
  void CountPairs(size_t index, int sign) {
    const Word& word = words_[index];
    for (size_t i = 0; i + 1 < word.ids.size(); ++i) {
      const uint64_t key = BpeTables::PairKey(word.ids[i], word.ids[i + 1]);
      Pair& pair = pairs_[key];
      pair.count += sign * word.count;
      if (sign > 0) pair.words.insert(index);
      touched_.push_back(key);
    }
    if (sign < 0) return;
    for (const uint64_t key : touched_) {
      const auto pair = pairs_.find(key);
      if (pair == pairs_.end()) continue;
      if (pair->second.count > 0) {
        queue_.push({pair->second.count, key});
      } else {
        pairs_.erase(pair);
      }
    }
    touched_.clear();
  }

  void MergeInWord(size_t index, int32_t first, int32_t second, int32_t merged) {
    CountPairs(index, -1);
    std::vector<int32_t>& ids = words_[index].ids;
    size_t out = 0;
    for (size_t i = 0; i < ids.size(); ++out) {
      const bool here = i + 1 < ids.size() && ids[i] == first && ids[i + 1] == second;
      ids[out] = here ? merged : ids[i];
      i += here ? 2 : 1;
    }
    ids.resize(out);
    CountPairs(index, 1);
  }

  std::vector<std::string> tokens_;
  absl::flat_hash_set<std::string> known_;
  std::string merges_txt_;
  std::vector<Word> words_;
  absl::flat_hash_map<uint64_t, Pair> pairs_;
  std::priority_queue<Candidate> queue_;  // with outdated entries, which MergeBestPair skips
  std::vector<uint64_t> touched_;         // pairs whose count the word at hand changes
};

}  // namespace

absl::StatusOr<BpeVocabulary> TrainBpe(std::span<const std::string> texts, int64_t merges) {
  if (merges < 0 || merges > kMaximumMerges) {
    return base::InvalidArgument(
        "BAD_MERGE_COUNT",
        fmt::format("{} merges were asked for; the number must be from 0 to {}", merges, kMaximumMerges));
  }
  MP_ASSIGN_OR_RETURN(const auto words, CountWords(texts));
  Trainer trainer(words);
  for (int64_t i = 0; i < merges && trainer.MergeBestPair(); ++i) {
  }
  return std::move(trainer).Finish();
}

}  // namespace modelpatch::model
