#include "core/model/replace_pattern.h"

#include <fmt/format.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/base/text.h"
#include "core/model/text_normalizer.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;

constexpr size_t kMaximumExpressionBytes = 4096;
constexpr size_t kMaximumRepeats = 1000;

struct Character {
  char32_t code;
  size_t bytes;
};

// The first character of `text`, which is valid UTF-8 and not empty.
Character FirstOf(std::string_view text) {
  int32_t end = 0;
  UChar32 code;
  U8_NEXT(reinterpret_cast<const uint8_t*>(text.data()), end, static_cast<int32_t>(text.size()), code);
  return {static_cast<char32_t>(code), static_cast<size_t>(end)};
}

bool IsOneOf(char32_t c, std::string_view characters) {
  return c < 0x80 && characters.find(static_cast<char>(c)) != std::string_view::npos;
}

}  // namespace

// Reads an expression character by character. What it does not know makes it fail as a whole.
class PatternReader {
 public:
  explicit PatternReader(std::string_view expression) : rest_(expression) {}

  // Nothing if there is anything that is not known.
  std::optional<std::vector<ReplacePattern::Alternative>> Read() {
    std::vector<ReplacePattern::Alternative> alternatives;
    do {
      ReplacePattern::Alternative& alternative = alternatives.emplace_back();
      if (!ReadAtom(alternative) || !ReadQuantifier(alternative)) return std::nullopt;
    } while (Skip('|'));
    if (!rest_.empty()) return std::nullopt;
    return alternatives;
  }

 private:
  bool Skip(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  char32_t Take() {
    const Character next = FirstOf(rest_);
    rest_.remove_prefix(next.bytes);
    return next.code;
  }

  // What follows a backslash: one of the letters \s, \n, \r, \t, or punctuation, which then stands for itself.
  bool ReadEscape(ReplacePattern::Alternative& alternative, std::optional<char32_t>& literal) {
    if (rest_.empty()) return false;
    const char32_t c = Take();
    if (c == 's') {
      alternative.white_space = true;
      return true;
    }
    if (c == 'n') literal = U'\n';
    if (c == 'r') literal = U'\r';
    if (c == 't') literal = U'\t';
    if (c < 0x80 && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9')) literal = c;
    return literal.has_value();
  }

  bool ReadAtom(ReplacePattern::Alternative& alternative) {
    if (rest_.empty()) return false;
    if (Skip('[')) return ReadClass(alternative);
    std::optional<char32_t> literal;
    if (Skip('\\')) {
      if (!ReadEscape(alternative, literal)) return false;
    } else {
      literal = Take();
      if (IsOneOf(*literal, ".^$*+?()[]{}|")) return false;
    }
    if (literal.has_value()) alternative.ranges.emplace_back(*literal, *literal);
    return true;
  }

  // After "[". A "[" or "&&" inside would mean sets of sets.
  bool ReadClass(ReplacePattern::Alternative& alternative) {
    alternative.negated = Skip('^');
    bool is_empty = true;
    while (!Skip(']')) {
      if (rest_.empty() || rest_.starts_with("[") || rest_.starts_with("&&")) return false;
      std::optional<char32_t> first;
      if (!ReadClassCharacter(alternative, first)) return false;
      is_empty = false;
      std::optional<char32_t> last = first;
      if (first.has_value() && rest_.starts_with('-') && !rest_.starts_with("-]")) {
        rest_.remove_prefix(1);
        if (rest_.empty() || rest_.starts_with("[") || !ReadClassCharacter(alternative, last)) return false;
        if (!last.has_value() || *last < *first) return false;
      }
      if (first.has_value()) alternative.ranges.emplace_back(*first, *last);
    }
    return !is_empty;
  }

  bool ReadClassCharacter(ReplacePattern::Alternative& alternative, std::optional<char32_t>& character) {
    character.reset();
    if (Skip('\\')) return ReadEscape(alternative, character);
    character = Take();
    return true;
  }

  // Nothing, "+" or "{n,}".
  bool ReadQuantifier(ReplacePattern::Alternative& alternative) {
    if (Skip('+')) {
      alternative.repeats = true;
    } else if (Skip('{')) {
      size_t count = 0;
      bool has_digit = false;
      while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9' && count <= kMaximumRepeats) {
        count = 10 * count + static_cast<size_t>(Take() - U'0');
        has_digit = true;
      }
      if (!has_digit || count == 0 || count > kMaximumRepeats || !Skip(',') || !Skip('}')) return false;
      alternative.minimum = count;
      alternative.repeats = true;
    }
    // A second quantifier makes the first possessive or lazy.
    return rest_.empty() || !IsOneOf(FirstOf(rest_).code, "+*?{");
  }

  std::string_view rest_;
};

bool ReplacePattern::Alternative::Contains(char32_t c) const {
  const bool is_listed = (white_space && u_isUWhiteSpace(static_cast<UChar32>(c))) ||
                         std::any_of(ranges.begin(), ranges.end(),
                                     [&](const auto& range) { return c >= range.first && c <= range.second; });
  return is_listed != negated;
}

absl::StatusOr<ReplacePattern> ReplacePattern::OfText(std::string_view text) {
  if (text.empty()) return InvalidArgument("TOKENIZER_INVALID", "a Replace step looks for an empty text");
  ReplacePattern pattern;
  pattern.text_ = text;
  return pattern;
}

absl::StatusOr<ReplacePattern> ReplacePattern::OfRegex(std::string_view expression) {
  const bool is_readable = expression.size() <= kMaximumExpressionBytes && base::IsValidUtf8(expression);
  auto alternatives = is_readable ? PatternReader(expression).Read() : std::nullopt;
  if (!alternatives.has_value()) {
    return InvalidArgument("TOKENIZER_UNSUPPORTED",
                           fmt::format("a Replace step has the regular expression '{}'; only alternatives of one "
                                       "character or class, with + or {{n,}}, are supported",
                                       base::Printable(expression)));
  }
  ReplacePattern pattern;
  pattern.alternatives_ = *std::move(alternatives);
  return pattern;
}

size_t ReplacePattern::Match(std::string_view rest) const {
  for (const Alternative& alternative : alternatives_) {
    size_t bytes = 0;
    size_t count = 0;
    while (bytes < rest.size() && (count == 0 || alternative.repeats)) {
      const Character next = FirstOf(rest.substr(bytes));
      if (!alternative.Contains(next.code)) break;
      bytes += next.bytes;
      ++count;
    }
    if (count >= alternative.minimum) return bytes;
  }
  return 0;
}

absl::StatusOr<std::string> ReplacePattern::Replace(std::string_view text, std::string_view content) const {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const size_t matched = text_.empty() ? Match(text) : (text.starts_with(text_) ? text_.size() : 0);
    const size_t taken = matched > 0 ? matched : FirstOf(text).bytes;
    result += matched > 0 ? content : text.substr(0, taken);
    if (result.size() > kMaximumTextBytes) {
      return InvalidArgument("TEXT_TOO_LONG",
                             fmt::format("the text has more than {} bytes after a Replace step", kMaximumTextBytes));
    }
    text.remove_prefix(taken);
  }
  return result;
}

}  // namespace modelpatch::model
