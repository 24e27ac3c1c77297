// The cleaning of text before CLIP's tokenizer splits it into words. Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "core/base/status.h"

namespace modelpatch::model {

// Texts above this are refused: ICU counts in 32 bits, and no prompt is that long.
inline constexpr size_t kMaximumTextBytes = 16u << 20;

// In the order of the reference: HTML references resolved twice, Unicode NFC, white space stripped and collapsed to
// single spaces, lower case (the full mapping of Unicode without a locale, final sigma included, as Python's
// str.lower()). The reference composes (NFC, inside ftfy) after resolving references where the text has no `<`, and
// before where it has one; so do we. What else ftfy does (mojibake, curly quotes, ligatures, widths, control
// characters) is not done here. INVALID_ARGUMENT: TEXT_NOT_UTF8, TEXT_TOO_LONG.
absl::StatusOr<std::string> NormalizeText(std::string_view text);

}  // namespace modelpatch::model
