// The printable characters that stand for bytes in a byte-level vocabulary.
//
// Printable Latin-1 bytes (33–126, 161–172, 174–255) stand for themselves; the other 68 bytes, in order, for U+0100 and
// up. So every byte string can be written as text without spaces and control characters. This is the convention of
// GPT-2, which CLIP took over. Thread safety: pure functions and an immutable table.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace modelpatch::model {

class ByteSymbols {
 public:
  ByteSymbols();

  // The symbol of a byte, in UTF-8.
  const std::string& SymbolOf(uint8_t byte) const { return symbols_[byte]; }
  // The bytes in the order of CLIP's vocabulary: those that stand for themselves, then the others.
  const std::array<uint8_t, 256>& VocabularyOrder() const { return order_; }

  // The bytes that `symbols` (valid UTF-8) stands for. Characters that stand for no byte are kept as they are.
  std::string ToBytes(std::string_view symbols) const;

 private:
  std::array<std::string, 256> symbols_;
  std::array<uint8_t, 256> order_;
  std::array<int16_t, 0x144> bytes_;  // by code point; -1 where none
};

}  // namespace modelpatch::model
