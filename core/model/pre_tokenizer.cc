#include "core/model/pre_tokenizer.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <cstdint>

#include "core/model/bpe_tables.h"

namespace modelpatch::model {
namespace {

enum class Kind { kSpace, kLetter, kNumber, kOther };

Kind KindOf(UChar32 c) {
  if (c < 0x80) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::kLetter;
    if (c >= '0' && c <= '9') return Kind::kNumber;
    return c == ' ' || (c >= '\t' && c <= '\r') ? Kind::kSpace : Kind::kOther;
  }
  const uint32_t category = U_GET_GC_MASK(c);
  if (category & U_GC_L_MASK) return Kind::kLetter;
  if (category & U_GC_N_MASK) return Kind::kNumber;
  return u_isUWhiteSpace(c) ? Kind::kSpace : Kind::kOther;
}

// `text` starts with `lower`, ignoring the case of ASCII letters.
bool StartsWith(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (size_t i = 0; i < lower.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + ('a' - 'A')) : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

// The length of the special token or contraction that `text` starts with, or 0. The long s (U+017F) folds to s.
size_t FixedWordLength(std::string_view text) {
  if (text[0] == '<') {
    for (const std::string_view special : {kStartOfText, kEndOfText}) {
      if (StartsWith(text, special)) return special.size();
    }
  } else if (text[0] == '\'') {
    for (const std::string_view contraction : {"'s", "'\xc5\xbf", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
      if (StartsWith(text, contraction)) return contraction.size();
    }
  }
  return 0;
}

}  // namespace

std::optional<std::string_view> PreTokenizer::Next() {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text_.data());
  const size_t size = text_.size();
  while (position_ < size) {
    const size_t start = position_;
    UChar32 c;
    if (const size_t length = FixedWordLength(text_.substr(start)); length > 0) {
      position_ += length;
      return text_.substr(start, length);
    }
    U8_NEXT(bytes, position_, size, c);
    const Kind kind = KindOf(c);
    if (kind == Kind::kSpace) continue;
    while (kind != Kind::kNumber && position_ < size) {
      size_t next = position_;
      U8_NEXT(bytes, next, size, c);
      if (KindOf(c) != kind) break;
      position_ = next;
    }
    return text_.substr(start, position_ - start);
  }
  return std::nullopt;
}

}  // namespace modelpatch::model
