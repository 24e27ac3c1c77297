#include "core/model/html_entities.h"

#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/stringpiece.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/base/text.h"
#include "core/model/windows_1252.h"

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
constexpr size_t kMaximumCompleteLength = 24;  // without # and semicolon

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

// Code points the standard calls a parse error and Python drops: controls except tab, line feed and form feed, and
// non-characters.
bool IsDropped(uint32_t c) {
  return (c >= 0x1 && c <= 0x8) || c == 0xb || (c >= 0xe && c <= 0x1f) || (c >= 0x7f && c <= 0x9f) ||
         (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

void AppendNumeric(uint32_t code_point, std::string& out) {
  if (code_point >= 0x80 && code_point <= 0x9f) {
    base::AppendUtf8(kWindows1252[code_point - 0x80], out);
  } else if (code_point == 0 || (code_point >= 0xd800 && code_point <= 0xdfff) || code_point > kMaximumCodePoint) {
    base::AppendUtf8(kReplacement, out);
  } else if (!IsDropped(code_point)) {
    base::AppendUtf8(code_point, out);
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

bool StartsWithEntity(std::string_view name) {
  for (size_t length = name.size(); length >= 2; --length) {
    if (FindEntity(name.substr(0, length)) != nullptr) return true;
  }
  return false;
}

// `name`, with its semicolon, is the name of no entity. Whether it is a small entity's in capitals.
bool ReplaceCapitals(std::string_view name, std::string& out) {
  std::string small(name);
  for (char& c : small) {
    if (c >= 'a' && c <= 'z') return false;
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  const Entity* entity = FindEntity(small);
  if (entity == nullptr || StartsWithEntity(name)) return false;
  UErrorCode error = U_ZERO_ERROR;
  std::string capitals;
  icu::StringByteSink<std::string> sink(&capitals);
  const icu::StringPiece piece(entity->text.data(), static_cast<int32_t>(entity->text.size()));
  icu::CaseMap::utf8ToUpper("", 0, piece, sink, nullptr, error);
  if (U_FAILURE(error)) return false;
  out += capitals;
  return true;
}

// `reference` stands behind "&", its semicolon included. Whether it was replaced.
bool ReplaceComplete(std::string_view reference, std::string& out) {
  if (reference.starts_with('#')) {
    std::string character;
    const bool is_whole = ReplaceNumeric(reference.substr(1), character) + 1 == reference.size();
    if (!is_whole || character == ";") return false;
    out += character;
    return true;
  }
  if (const Entity* entity = FindEntity(reference)) {
    out += entity->text;
    return true;
  }
  return ReplaceCapitals(reference, out);
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

std::string UnescapeCompleteHtml(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (true) {
    const size_t ampersand = text.find('&');
    result += text.substr(0, ampersand);
    if (ampersand == std::string_view::npos) return result;
    text.remove_prefix(ampersand + 1);
    const size_t begin = text.starts_with('#') ? 1 : 0;
    size_t end = begin;
    while (end < text.size() && end - begin <= kMaximumCompleteLength && IsNameCharacter(text[end])) ++end;
    const bool is_complete =
        end > begin && end - begin <= kMaximumCompleteLength && end < text.size() && text[end] == ';';
    if (is_complete && ReplaceComplete(text.substr(0, end + 1), result)) {
      text.remove_prefix(end + 1);
    } else {
      result += '&';
    }
  }
}

}  // namespace modelpatch::model
