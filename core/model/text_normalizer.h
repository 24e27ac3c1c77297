// The cleaning of text before CLIP's tokenizer splits it into words. Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "core/base/status.h"

namespace modelpatch::model {

// Texts above this are refused: ICU counts in 32 bits, and no prompt is that long.
inline constexpr size_t kMaximumTextBytes = 16u << 20;

// In the order of the reference (clip/simple_tokenizer.py): ftfy's repair of text but for mojibake (text_repair.h),
// HTML references resolved twice, white space stripped and collapsed to single spaces, lower case (the full mapping of
// Unicode without a locale, final sigma included, as Python's str.lower()). OpenAI's CLIP and OpenCLIP clean text so.
// Hugging Face's fast tokenizer does less: NFC, white space, lower case; it differs where a text has curly quotes,
// ligatures, full-width forms, control characters or HTML references. INVALID_ARGUMENT: TEXT_NOT_UTF8, TEXT_TOO_LONG.
absl::StatusOr<std::string> NormalizeText(std::string_view text);

}  // namespace modelpatch::model
