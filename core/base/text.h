// Checks on text that comes from outside. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace modelpatch::base {

bool IsValidUtf8(std::string_view text);

// Appends a code point (at most U+10FFFF, no surrogate) in UTF-8.
void AppendUtf8(uint32_t code_point, std::string& out);

// A resource id, the part after `models/` and the like: 1 to 63 characters of [a-z0-9-_.], starting with a letter or a
// digit; so neither `..` nor `/` nor NUL. INVALID_ARGUMENT (BAD_RESOURCE_ID) otherwise.
absl::Status CheckResourceId(std::string_view id);

// `text` for an error message: control and non-ASCII bytes escaped, cut at 80 characters.
std::string Printable(std::string_view text);

}  // namespace modelpatch::base
