#include "core/model/synthetic_vocabulary.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

namespace modelpatch::model {
namespace {

constexpr int64_t kMinimumSize = 514;  // bytes, bytes that end a word, start and end of text
constexpr int64_t kMaximumSize = 500'000;
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";

}  // namespace

absl::StatusOr<BpeVocabulary> SyntheticVocabulary(int64_t size) {
  if (size < kMinimumSize || size > kMaximumSize) {
    return base::InvalidArgument(
        "VOCABULARY_SIZE", fmt::format("a vocabulary of {} entries was asked for; it must have from {} to {}", size,
                                       kMinimumSize, kMaximumSize));
  }
  std::string merges = "#version: 0.2\n";
  int64_t count = 0;
  const int64_t wanted = size - kMinimumSize;
  std::vector<std::string> pieces;
  for (const char letter : kLetters) pieces.emplace_back(1, letter);
  while (count < wanted) {
    std::vector<std::string> longer;
    for (size_t i = 0; i < pieces.size() && count < wanted; ++i) {
      for (size_t j = 0; j < kLetters.size() && count < wanted; ++j) {
        merges += fmt::format("{} {}{}\n", pieces[i], kLetters[j], kEndOfWord);
        if (++count == wanted) break;
        merges += fmt::format("{} {}\n", pieces[i], kLetters[j]);
        ++count;
        longer.push_back(pieces[i] + kLetters[j]);
      }
    }
    pieces = std::move(longer);
  }
  return VocabularyOfMerges(merges, size);
}

}  // namespace modelpatch::model
