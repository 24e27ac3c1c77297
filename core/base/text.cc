#include "core/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>

namespace modelpatch::base {
namespace {

constexpr size_t kMaximumIdLength = 63;
constexpr size_t kPrintableLength = 80;

bool IsIdCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// The length of the sequence that `lead` starts, or 0 if it starts none.
size_t SequenceLength(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xf0 && lead < 0xf5) return 4;
  return 0;
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = SequenceLength(lead);
    if (length == 0 || length > text.size() - i) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    if (length >= 3) {
      // The first continuation byte excludes overlong forms, surrogates and code points above U+10FFFF.
      const auto second = static_cast<unsigned char>(text[i + 1]);
      if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
          (lead == 0xf4 && second > 0x8f)) {
        return false;
      }
    }
    i += length;
  }
  return true;
}

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

absl::Status CheckResourceId(std::string_view id) {
  const bool good = !id.empty() && id.size() <= kMaximumIdLength && id[0] != '.' && id[0] != '-' && id[0] != '_' &&
                    std::all_of(id.begin(), id.end(), IsIdCharacter);
  if (good) return absl::OkStatus();
  return InvalidArgument("BAD_RESOURCE_ID", fmt::format("'{}' ({} bytes) is not a resource id; use 1 to {} of a-z, "
                                                        "0-9, '-', '_' and '.', starting with a letter or digit",
                                                        Printable(id), id.size(), kMaximumIdLength));
}

std::string Printable(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, kPrintableLength)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      result += c;
    } else {
      result += fmt::format("\\x{:02x}", byte);
    }
  }
  if (text.size() > kPrintableLength) result += "…";
  return result;
}

}  // namespace modelpatch::base
