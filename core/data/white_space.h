// IsBlank: whether a text has anything but white space. Thread safety: pure.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace modelpatch::data {

// What the tokenizer strips from a text: the characters with Unicode's property White_Space, and the four information
// separators, in UTF-8.
inline constexpr std::string_view kWhiteSpace[] = {
    " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\x1c",   "\x1d",   "\x1e",   "\x1f",
    "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
    "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

// True for a text of no characters too.
inline bool IsBlank(std::string_view text) {
  while (!text.empty()) {
    const auto* found = std::find_if(std::begin(kWhiteSpace), std::end(kWhiteSpace),
                                     [text](std::string_view space) { return text.starts_with(space); });
    if (found == std::end(kWhiteSpace)) return false;
    text.remove_prefix(found->size());
  }
  return true;
}

}  // namespace modelpatch::data
