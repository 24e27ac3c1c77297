// IsBlank: whether a text has nothing to read. Thread safety: pure.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace modelpatch::data {

// What leaves nothing of a text before the tokenizer, in UTF-8: the characters with Unicode's property White_Space but
// U+0085, which stands for an ellipsis, and control characters that no text needs (core/model/text_repair.h).
inline constexpr std::string_view kBlank[] = {
    {"\0", 1}, "\x01",   "\x02",   "\x03",   "\x04",   "\x05",   "\x06",   "\x07",   "\x08",   "\t",     "\n",
    "\v",      "\f",     "\r",     "\x0e",   "\x0f",   "\x10",   "\x11",   "\x12",   "\x13",   "\x14",   "\x15",
    "\x16",    "\x17",   "\x18",   "\x19",   "\x1a",   "\x1b",   "\x1c",   "\x1d",   "\x1e",   "\x1f",   " ",
    "\x7f",    "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007",
    "\u2008",  "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u206a", "\u206b", "\u206c", "\u206d",
    "\u206e",  "\u206f", "\u3000", "\ufeff", "\ufff9", "\ufffa", "\ufffb", "\ufffc"};

// True for a text of no characters too.
inline bool IsBlank(std::string_view text) {
  while (!text.empty()) {
    const auto* found = std::find_if(std::begin(kBlank), std::end(kBlank),
                                     [text](std::string_view blank) { return text.starts_with(blank); });
    if (found == std::end(kBlank)) return false;
    text.remove_prefix(found->size());
  }
  return true;
}

}  // namespace modelpatch::data
