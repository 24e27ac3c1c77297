// Integers of file formats. Private to core/data. Thread safety: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace modelpatch::data {

// The `count` bytes (at most 4) from `offset` on, which must lie within `bytes`, as an unsigned integer.
inline uint32_t ReadLittleEndian(std::string_view bytes, size_t offset, size_t count) {
  uint32_t value = 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[offset + i]);
  return value;
}

}  // namespace modelpatch::data
