#include "core/data/gif_codes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace modelpatch::data {
namespace {

constexpr int kMaximumCodeBits = 12;
constexpr size_t kTableSize = size_t{1} << kMaximumCodeBits;
constexpr int kMaximumIndexBits = 8;

// The codes, across the borders of the blocks.
class CodeReader {
 public:
  explicit CodeReader(std::string_view blocks) : rest_(blocks) {}

  // False if the data ends first.
  bool Read(int bits, size_t& code) {
    while (bit_count_ < bits) {
      if (block_left_ == 0 && !OpenBlock()) return false;
      bits_ |= static_cast<uint32_t>(static_cast<uint8_t>(rest_.front())) << bit_count_;
      rest_.remove_prefix(1);
      --block_left_;
      bit_count_ += 8;
    }
    code = bits_ & ((uint32_t{1} << bits) - 1);
    bits_ >>= bits;
    bit_count_ -= bits;
    return true;
  }

 private:
  // A block of no bytes is the last one.
  bool OpenBlock() {
    if (rest_.empty()) return false;
    block_left_ = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return block_left_ > 0 && block_left_ <= rest_.size();
  }

  std::string_view rest_;
  size_t block_left_ = 0;
  uint32_t bits_ = 0;
  int bit_count_ = 0;
};

// What each code stands for: the string of `prefix`, then `last`; `length` indices in all.
struct Entry {
  uint16_t prefix = 0;
  uint16_t length = 0;
  uint8_t first = 0;
  uint8_t last = 0;
};

absl::Status Truncated() {
  return base::InvalidArgument("IMAGE_TRUNCATED", "the GIF image is cut short; send the whole file");
}

absl::Status Corrupt(size_t code) {
  return base::InvalidArgument("IMAGE_CORRUPT",
                               fmt::format("the GIF image is damaged: the code {} is not defined", code));
}

}  // namespace

absl::Status DecodeGifCodes(std::string_view data, std::vector<uint8_t>& indices) {
  if (data.empty()) return Truncated();
  const int index_bits = static_cast<uint8_t>(data.front());
  if (index_bits < 1 || index_bits > kMaximumIndexBits) {
    return base::InvalidArgument(
        "IMAGE_CORRUPT",
        fmt::format("the GIF image's code size is {}; it must be from 1 to {}", index_bits, kMaximumIndexBits));
  }
  const size_t clear = size_t{1} << index_bits;
  const size_t stop = clear + 1;
  std::array<Entry, kTableSize> table;
  for (size_t i = 0; i < clear; ++i) table[i] = {0, 1, static_cast<uint8_t>(i), static_cast<uint8_t>(i)};
  CodeReader reader(data.substr(1));
  int bits = index_bits + 1;
  size_t next = stop + 1;  // the code to be defined
  size_t previous = clear;
  size_t filled = 0;
  while (filled < indices.size()) {
    size_t code = 0;
    if (!reader.Read(bits, code) || code == stop) return Truncated();
    if (code == clear) {
      bits = index_bits + 1;
      next = stop + 1;
      previous = clear;
      continue;
    }
    if (code > next || (code >= clear && previous == clear) || (code == next && next == kTableSize)) {
      return Corrupt(code);
    }
    // The code that is just being defined stands for the previous string and its own first index.
    if (previous != clear && next < kTableSize) {
      const Entry& start = table[code == next ? previous : code];
      table[next] = {static_cast<uint16_t>(previous), static_cast<uint16_t>(table[previous].length + 1),
                     table[previous].first, start.first};
      ++next;
      if (next == size_t{1} << bits && bits < kMaximumCodeBits) ++bits;
    }
    // Written from the end; what does not fit is the end of the string.
    size_t position = filled + table[code].length;
    filled = std::min(position, indices.size());
    for (size_t at = code;; at = table[at].prefix) {
      if (--position < indices.size()) indices[position] = table[at].last;
      if (table[at].length == 1) break;
    }
    previous = code;
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::data
