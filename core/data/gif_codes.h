// The compression of GIF, LZW with codes of up to 12 bits. Private to core/data. Thread safety: pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::data {

// Fills `indices` from `data`: the least code size, and the blocks of codes. What follows the last index is not looked
// at. IMAGE_TRUNCATED if codes are missing, IMAGE_CORRUPT if one is not defined. Source: the GIF89a specification,
// appendix F.
absl::Status DecodeGifCodes(std::string_view data, std::vector<uint8_t>& indices);

}  // namespace modelpatch::data
