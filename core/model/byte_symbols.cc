#include "core/model/byte_symbols.h"

#include "core/base/text.h"

namespace modelpatch::model {
namespace {

bool StandsForItself(int byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
}

}  // namespace

ByteSymbols::ByteSymbols() {
  bytes_.fill(-1);
  size_t position = 0;
  int next_code_point = 0x100;
  for (const bool itself : {true, false}) {
    for (int byte = 0; byte < 256; ++byte) {
      if (StandsForItself(byte) != itself) continue;
      const int code_point = itself ? byte : next_code_point++;
      base::AppendUtf8(static_cast<uint32_t>(code_point), symbols_[byte]);
      bytes_[code_point] = static_cast<int16_t>(byte);
      order_[position++] = static_cast<uint8_t>(byte);
    }
  }
}

std::string ByteSymbols::ToBytes(std::string_view symbols) const {
  std::string result;
  for (size_t i = 0; i < symbols.size();) {
    const auto lead = static_cast<unsigned char>(symbols[i]);
    const size_t length = lead < 0xc0 ? 1 : (lead < 0xe0 ? 2 : (lead < 0xf0 ? 3 : 4));
    size_t code_point = lead;
    if (length == 2 && i + 1 < symbols.size()) code_point = (lead & 0x1fu) << 6 | (symbols[i + 1] & 0x3fu);
    if (length <= 2 && code_point < bytes_.size() && bytes_[code_point] >= 0) {
      result += static_cast<char>(bytes_[code_point]);
    } else {
      result += symbols.substr(i, length);
    }
    i += length;
  }
  return result;
}

}  // namespace modelpatch::model
