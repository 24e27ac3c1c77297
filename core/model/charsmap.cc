#include "core/model/charsmap.h"

#include <fmt/format.h>
#include <unicode/brkiter.h>
#include <unicode/locid.h>
#include <unicode/utext.h>

#include <memory>
#include <utility>

#include "core/base/text.h"
#include "core/model/text_normalizer.h"
#include "core/model/utf8.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;

constexpr size_t kUnitBytes = 4;
constexpr size_t kMaximumBytes = 16u << 20;
// Longer clusters are taken apart.
constexpr size_t kMaximumClusterBytes = 5;

uint32_t ReadUnit(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < kUnitBytes; ++i) value |= uint32_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
  return value;
}

// The fields of a unit of a Darts double array.
bool HasLeaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t ValueOf(uint32_t unit) { return unit & 0x7fffffff; }
uint32_t LabelOf(uint32_t unit) { return unit & 0x800000ff; }
uint32_t OffsetOf(uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); }

struct CloseText {
  void operator()(UText* text) const { utext_close(text); }
};

absl::Status IcuError(UErrorCode error) {
  return base::Internal("UNICODE_LIBRARY", fmt::format("ICU answered {}", u_errorName(error)));
}

}  // namespace

absl::StatusOr<Charsmap> Charsmap::Parse(std::string_view bytes) {
  const bool has_size = bytes.size() >= kUnitBytes && bytes.size() <= kMaximumBytes;
  const size_t trie_bytes = has_size ? ReadUnit(bytes, 0) : 0;
  if (!has_size || trie_bytes < kUnitBytes || trie_bytes % kUnitBytes != 0 || trie_bytes > bytes.size() - kUnitBytes) {
    return InvalidArgument("TOKENIZER_INVALID",
                           fmt::format("the precompiled charsmap of {} bytes says that its trie has {}; it is damaged, "
                                       "or above {} bytes",
                                       bytes.size(), trie_bytes, kMaximumBytes));
  }
  Charsmap charsmap;
  charsmap.units_.reserve(trie_bytes / kUnitBytes);
  for (size_t at = 0; at < trie_bytes; at += kUnitBytes) charsmap.units_.push_back(ReadUnit(bytes, kUnitBytes + at));
  charsmap.replacements_ = bytes.substr(kUnitBytes + trie_bytes);
  if (base::IsValidUtf8(charsmap.replacements_)) return charsmap;
  return InvalidArgument("TOKENIZER_INVALID", "the replacements of the precompiled charsmap are not UTF-8");
}

int64_t Charsmap::FindRule(std::string_view bytes) const {
  uint32_t node = OffsetOf(units_[0]);
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte == 0) return kNoRule;
    node ^= byte;
    if (node >= units_.size() || LabelOf(units_[node]) != byte) return kNoRule;
    const bool has_leaf = HasLeaf(units_[node]);
    node ^= OffsetOf(units_[node]);
    if (has_leaf) return node < units_.size() ? ValueOf(units_[node]) : kNoRule;
  }
  return kNoRule;
}

absl::StatusOr<bool> Charsmap::Rewrite(std::string_view part, std::string& result) const {
  const int64_t place = FindRule(part);
  if (place == kNoRule) return false;
  const auto begin = static_cast<size_t>(place);
  if (begin > replacements_.size() || (begin < replacements_.size() && IsContinuation(replacements_[begin]))) {
    return InvalidArgument("TOKENIZER_INVALID",
                           fmt::format("a rule of the precompiled charsmap points to byte {} of {} bytes of "
                                       "replacements, or into a character there",
                                       begin, replacements_.size()));
  }
  const size_t end = std::min(replacements_.find('\0', begin), replacements_.size());
  if (end - begin > kMaximumTextBytes - std::min(result.size(), kMaximumTextBytes)) {
    return InvalidArgument(
        "TEXT_TOO_LONG",
        fmt::format("the text has more than {} bytes after the tokenizer's charsmap", kMaximumTextBytes));
  }
  result.append(replacements_, begin, end - begin);
  return true;
}

absl::StatusOr<std::string> Charsmap::Apply(std::string_view text) const {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<icu::BreakIterator> clusters(
      icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), error));
  if (U_FAILURE(error)) return IcuError(error);
  const std::unique_ptr<UText, CloseText> view(
      utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &error));
  if (U_SUCCESS(error)) clusters->setText(view.get(), error);
  if (U_FAILURE(error)) return IcuError(error);
  std::string result;
  result.reserve(text.size());
  int32_t begin = clusters->first();
  for (int32_t end = clusters->next(); end != icu::BreakIterator::DONE; begin = end, end = clusters->next()) {
    std::string_view cluster = text.substr(begin, end - begin);
    if (cluster.size() <= kMaximumClusterBytes) {
      MP_ASSIGN_OR_RETURN(const bool rewritten, Rewrite(cluster, result));
      if (rewritten) continue;
    }
    while (!cluster.empty()) {
      const std::string_view character = cluster.substr(0, CharacterBytes(cluster[0]));
      MP_ASSIGN_OR_RETURN(const bool rewritten, Rewrite(character, result));
      if (!rewritten) result += character;
      cluster.remove_prefix(character.size());
    }
  }
  return result;
}

}  // namespace modelpatch::model
