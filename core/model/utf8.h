// The bytes of characters in valid UTF-8. Thread safety: pure.
#pragma once

#include <cstddef>

namespace modelpatch::model {

// Whether `byte` is not the first of its character.
inline bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// How many bytes the character has that `lead` starts.
inline size_t CharacterBytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  if (byte < 0x80) return 1;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}

}  // namespace modelpatch::model
