#include "core/model/text_repair.h"

#include <fmt/format.h>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <utility>

#include "core/base/text.h"
#include "core/model/html_entities.h"
#include "core/model/windows_1252.h"

namespace modelpatch::model {
namespace {

// Each pass resolves one level of references within references: `&amp;amp;`.
constexpr int kMaximumPasses = 16;

absl::Status IcuError(UErrorCode error) {
  return base::Internal("UNICODE_LIBRARY", fmt::format("ICU answered {}", u_errorName(error)));
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool IsRemoved(UChar32 c) {
  if (c < 0x80) return c <= 0x08 || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f;
  return (c >= 0x206a && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffc);
}

struct Ligature {
  UChar32 character;
  std::string_view letters;
};

// Sorted. The apostrophe of ŉ is the modifier letter U+02BC, straightened.
constexpr Ligature kLigatures[] = {{0x0132, "IJ"},      {0x0133, "ij"},      {0x0149, "'n"},  {0x01c4, "D\u017d"},
                                   {0x01c5, "D\u017e"}, {0x01c6, "d\u017e"}, {0x01c7, "LJ"},  {0x01c8, "Lj"},
                                   {0x01c9, "lj"},      {0x01ca, "NJ"},      {0x01cb, "Nj"},  {0x01cc, "nj"},
                                   {0x01f1, "DZ"},      {0x01f2, "Dz"},      {0x01f3, "dz"},  {0xfb00, "ff"},
                                   {0xfb01, "fi"},      {0xfb02, "fl"},      {0xfb03, "ffi"}, {0xfb04, "ffl"},
                                   {0xfb05, "\u017ft"}, {0xfb06, "st"}};

// The letters of a ligature; empty if `c` is none.
std::string_view LettersOf(UChar32 c) {
  const auto* found = std::lower_bound(std::begin(kLigatures), std::end(kLigatures), c,
                                       [](const Ligature& one, UChar32 wanted) { return one.character < wanted; });
  return found != std::end(kLigatures) && found->character == c ? found->letters : "";
}

UChar32 Straightened(UChar32 c) {
  if (c == 0x02bc || (c >= 0x2018 && c <= 0x201b)) return '\'';
  return c >= 0x201c && c <= 0x201f ? '"' : c;
}

// Appends `text`, normalised.
absl::Status Normalize(const icu::Normalizer2* normalizer, UErrorCode error, std::string_view text, std::string& out) {
  if (U_SUCCESS(error)) {
    icu::StringByteSink<std::string> sink(&out);
    const icu::StringPiece piece(text.data(), static_cast<int32_t>(text.size()));
    normalizer->normalizeUTF8(0, piece, sink, nullptr, error);
  }
  return U_SUCCESS(error) ? absl::OkStatus() : IcuError(error);
}

absl::StatusOr<std::string> Compose(std::string text) {
  if (IsAscii(text)) return text;
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  std::string result;
  MP_RETURN_IF_ERROR(Normalize(nfc, error, text, result));
  return result;
}

// Steps 2 to 5, each of which looks at one character.
absl::StatusOr<std::string> ReplaceCharacters(std::string text) {
  if (IsAscii(text)) return text;
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfkc = icu::Normalizer2::getNFKCInstance(error);
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int32_t>(text.size());
  std::string result;
  result.reserve(text.size());
  for (int32_t i = 0; i < size;) {
    const int32_t start = i;
    UChar32 c;
    U8_NEXT(bytes, i, size, c);
    if (c >= 0x80 && c <= 0x9f) c = kWindows1252[c - 0x80];
    if (const std::string_view letters = LettersOf(c); !letters.empty()) {
      result += letters;
    } else if (c == 0x3000) {
      result += ' ';
    } else if (c >= 0xff01 && c <= 0xffef) {
      MP_RETURN_IF_ERROR(Normalize(nfkc, error, std::string_view(text).substr(start, i - start), result));
    } else {
      base::AppendUtf8(Straightened(c), result);
    }
  }
  return result;
}

// The length of the escape (ESC, `[`, digits and semicolons, a letter) that `text` starts with, or 0. A digit is what
// Python's \d takes for one.
int32_t TerminalEscapeLength(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t i = 2; i < size;) {
    UChar32 c;
    U8_NEXT(bytes, i, size, c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return i;
    if (c != ';' && !u_isdigit(c)) return 0;
  }
  return 0;
}

std::string RemoveTerminalEscapes(std::string text) {
  if (text.find('\x1b') == std::string::npos) return text;
  std::string result;
  for (std::string_view rest = text; !rest.empty();) {
    const int32_t length = TerminalEscapeLength(rest);
    if (length == 0) result += rest.front();
    rest.remove_prefix(std::max(length, 1));
  }
  return result;
}

std::string RemoveControlCharacters(std::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int32_t>(text.size());
  std::string result;
  result.reserve(text.size());
  for (int32_t i = 0; i < size;) {
    const int32_t start = i;
    UChar32 c;
    U8_NEXT(bytes, i, size, c);
    if (!IsRemoved(c)) result += text.substr(start, i - start);
  }
  return result;
}

absl::StatusOr<std::string> RepairLine(std::string line, bool unescape) {
  for (int pass = 0; pass < kMaximumPasses; ++pass) {
    std::string next = unescape ? UnescapeCompleteHtml(line) : line;
    MP_ASSIGN_OR_RETURN(next, ReplaceCharacters(std::move(next)));
    next = RemoveControlCharacters(RemoveTerminalEscapes(std::move(next)));
    MP_ASSIGN_OR_RETURN(next, Compose(std::move(next)));
    if (next == line) return next;
    line = std::move(next);
  }
  return line;
}

bool MayNeedRepair(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || byte == '&' || IsRemoved(byte);
}

}  // namespace

absl::StatusOr<std::string> RepairText(std::string text) {
  if (std::none_of(text.begin(), text.end(), MayNeedRepair)) return text;
  std::string result;
  bool unescape = true;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t newline = rest.find('\n');
    const std::string_view line = rest.substr(0, newline == std::string_view::npos ? newline : newline + 1);
    rest.remove_prefix(line.size());
    unescape = unescape && line.find('<') == std::string_view::npos;
    MP_ASSIGN_OR_RETURN(const std::string repaired, RepairLine(std::string(line), unescape));
    result += repaired;
  }
  return result;
}

}  // namespace modelpatch::model
