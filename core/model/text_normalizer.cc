#include "core/model/text_normalizer.h"

#include <fmt/format.h>
#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/stringpiece.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/base/text.h"
#include "core/model/html_entities.h"
#include "core/model/text_repair.h"

namespace modelpatch::model {
namespace {

icu::StringPiece PieceOf(std::string_view text) { return {text.data(), static_cast<int32_t>(text.size())}; }

absl::Status IcuError(UErrorCode error) {
  return base::Internal("UNICODE_LIBRARY", fmt::format("ICU answered {}", u_errorName(error)));
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

absl::StatusOr<std::string> LowerCase(std::string text) {
  if (IsAscii(text)) {
    for (char& c : text) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    }
    return text;
  }
  UErrorCode error = U_ZERO_ERROR;
  std::string result;
  icu::StringByteSink<std::string> sink(&result, static_cast<int32_t>(text.size()));
  icu::CaseMap::utf8ToLower("", 0, PieceOf(text), sink, nullptr, error);
  if (U_FAILURE(error)) return IcuError(error);
  return result;
}

std::string CollapseWhiteSpace(std::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int32_t>(text.size());
  int32_t begin = 0;
  int32_t end = size;
  while (begin < end) {
    int32_t next = begin;
    UChar32 c;
    U8_NEXT(bytes, next, size, c);
    if (!u_isUWhiteSpace(c)) break;
    begin = next;
  }
  while (end > begin) {
    int32_t previous = end;
    UChar32 c;
    U8_PREV(bytes, 0, previous, c);
    if (!u_isUWhiteSpace(c)) break;
    end = previous;
  }
  std::string result;
  result.reserve(end - begin);
  bool in_space = false;
  for (int32_t i = begin; i < end;) {
    const int32_t start = i;
    UChar32 c;
    U8_NEXT(bytes, i, size, c);
    const bool space = u_isUWhiteSpace(c);
    if (!space) {
      result.append(text, start, i - start);
    } else if (!in_space) {
      result += ' ';
    }
    in_space = space;
  }
  return result;
}

}  // namespace

absl::StatusOr<std::string> NormalizeText(std::string_view text) {
  if (text.size() > kMaximumTextBytes) {
    return base::InvalidArgument(
        "TEXT_TOO_LONG", fmt::format("the text has {} bytes; at most {} are allowed", text.size(), kMaximumTextBytes));
  }
  if (!base::IsValidUtf8(text)) {
    return base::InvalidArgument("TEXT_NOT_UTF8",
                                 fmt::format("the text '{}' is not valid UTF-8", base::Printable(text)));
  }
  MP_ASSIGN_OR_RETURN(std::string result, RepairText(std::string(text)));
  if (result.find('&') != std::string::npos) result = UnescapeHtml(UnescapeHtml(result));
  return LowerCase(CollapseWhiteSpace(result));
}

}  // namespace modelpatch::model
