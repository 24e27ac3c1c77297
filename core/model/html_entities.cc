#include "core/model/html_entities.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace modelpatch::model {
namespace {

struct Entity {
  std::string_view name;
  std::string_view text;
};

constexpr Entity kEntities[] = {
#include "core/model/html_entities.inc"
};

constexpr uint32_t kReplacement = 0xfffd;
constexpr uint32_t kMaximumCodePoint = 0x10ffff;
constexpr size_t kMaximumNameLength = 32;

// Windows-1252 for 0x80 … 0x9f; the five bytes it leaves open stay C1 controls.
constexpr uint16_t kWindows1252[32] = {0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                       0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d,   0x017d, 0x8f,
                                       0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                       0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};

const Entity* FindEntity(std::string_view name) {
  const auto* found =
      std::lower_bound(std::begin(kEntities), std::end(kEntities), name,
                       [](const Entity& entity, std::string_view wanted) { return entity.name < wanted; });
  return found != std::end(kEntities) && found->name == name ? found : nullptr;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsNameCharacter(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
uint32_t DigitValue(char c) { return IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10; }

void AppendUtf8(uint32_t code_point, std::string& out) {
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
    return;
  }
  if (code_point < 0x800) {
    out += static_cast<char>(0xc0 | code_point >> 6);
  } else {
    if (code_point < 0x10000) {
      out += static_cast<char>(0xe0 | code_point >> 12);
    } else {
      out += static_cast<char>(0xf0 | code_point >> 18);
      out += static_cast<char>(0x80 | (code_point >> 12 & 0x3f));
    }
    out += static_cast<char>(0x80 | (code_point >> 6 & 0x3f));
  }
  out += static_cast<char>(0x80 | (code_point & 0x3f));
}

// Code points the standard calls a parse error and Python drops: controls except tab, line feed and form feed, and
// non-characters.
bool IsDropped(uint32_t c) {
  return (c >= 0x1 && c <= 0x8) || c == 0xb || (c >= 0xe && c <= 0x1f) || (c >= 0x7f && c <= 0x9f) ||
         (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

void AppendNumeric(uint32_t code_point, std::string& out) {
  if (code_point >= 0x80 && code_point <= 0x9f) {
    AppendUtf8(kWindows1252[code_point - 0x80], out);
  } else if (code_point == 0 || (code_point >= 0xd800 && code_point <= 0xdfff) || code_point > kMaximumCodePoint) {
    AppendUtf8(kReplacement, out);
  } else if (!IsDropped(code_point)) {
    AppendUtf8(code_point, out);
  }
}

// `rest` starts behind "&#". Returns how many bytes of it the reference has; 0 if it is none.
size_t ReplaceNumeric(std::string_view rest, std::string& out) {
  const bool hexadecimal = !rest.empty() && (rest[0] == 'x' || rest[0] == 'X');
  const size_t first = hexadecimal ? 1 : 0;
  size_t end = first;
  uint32_t value = 0;
  while (end < rest.size() && (hexadecimal ? IsHexDigit(rest[end]) : IsDigit(rest[end]))) {
    // Saturates above the last code point, however many digits follow.
    value = std::min<uint32_t>(value * (hexadecimal ? 16 : 10) + DigitValue(rest[end]), kMaximumCodePoint + 1);
    ++end;
  }
  if (end == first) return 0;
  AppendNumeric(value, out);
  return end + (end < rest.size() && rest[end] == ';' ? 1 : 0);
}

// `rest` starts behind "&". Returns how many bytes of it the reference has; 0 if it is none.
size_t ReplaceNamed(std::string_view rest, std::string& out) {
  size_t length = 0;
  while (length < rest.size() && length < kMaximumNameLength && IsNameCharacter(rest[length])) ++length;
  if (length < rest.size() && rest[length] == ';') {
    if (const Entity* entity = FindEntity(rest.substr(0, length + 1))) {
      out += entity->text;
      return length + 1;
    }
  }
  for (; length >= 2; --length) {
    if (const Entity* entity = FindEntity(rest.substr(0, length))) {
      out += entity->text;
      return length;
    }
  }
  return 0;
}

}  // namespace

std::string UnescapeHtml(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (true) {
    const size_t ampersand = text.find('&');
    result += text.substr(0, ampersand);
    if (ampersand == std::string_view::npos) return result;
    text.remove_prefix(ampersand + 1);
    const bool numeric = text.starts_with('#');
    const size_t length = numeric ? ReplaceNumeric(text.substr(1), result) : ReplaceNamed(text, result);
    if (length == 0) {
      result += '&';
    } else {
      text.remove_prefix(length + (numeric ? 1 : 0));
    }
  }
}

}  // namespace modelpatch::model
