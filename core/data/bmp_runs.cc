#include "core/data/bmp_runs.h"

#include <algorithm>

namespace modelpatch::data {
namespace {

constexpr uint8_t kEndOfLine = 0;
constexpr uint8_t kEndOfImage = 1;
constexpr uint8_t kMove = 2;

// Where the next index goes.
class Cursor {
 public:
  Cursor(size_t width, size_t height) : width_(width), height_(height), indices_(width * height) {}

  bool is_past_the_end() const { return y_ >= height_; }
  void Put(uint8_t index) {
    if (x_ < width_ && y_ < height_) indices_[y_ * width_ + x_] = index;
    ++x_;
  }
  void NextLine() {
    x_ = 0;
    ++y_;
  }
  void Move(size_t right, size_t up) {
    x_ += right;
    y_ += up;
  }
  std::vector<uint8_t> Take() && { return std::move(indices_); }

 private:
  const size_t width_, height_;
  size_t x_ = 0, y_ = 0;
  std::vector<uint8_t> indices_;
};

// The `i`-th index of bytes that hold two of 4 bits each, or one of 8.
uint8_t IndexAt(const uint8_t* bytes, int bits, size_t i) {
  if (bits == 8) return bytes[i];
  return i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 0x0f;
}

}  // namespace

absl::StatusOr<std::vector<uint8_t>> DecodeBmpRuns(std::string_view data, int bits, size_t width, size_t height) {
  const auto* next = reinterpret_cast<const uint8_t*>(data.data());
  const uint8_t* const end = next + data.size();
  Cursor cursor(width, height);
  while (end - next >= 2) {
    const size_t run = next[0];
    const uint8_t code = next[1];
    next += 2;
    if (run > 0) {
      // Two colours take turns in a run of 4 bits.
      for (size_t i = 0; i < run; ++i) cursor.Put(IndexAt(next - 1, bits, bits == 8 ? 0 : i % 2));
    } else if (code == kEndOfImage) {
      return std::move(cursor).Take();
    } else if (code == kEndOfLine) {
      cursor.NextLine();
    } else if (code == kMove) {
      if (end - next < 2) break;
      cursor.Move(next[0], next[1]);
      next += 2;
    } else {
      const size_t bytes = (static_cast<size_t>(code) * static_cast<size_t>(bits) + 7) / 8;
      if (static_cast<size_t>(end - next) < bytes) break;
      for (size_t i = 0; i < code; ++i) cursor.Put(IndexAt(next, bits, i));
      next += std::min<size_t>(static_cast<size_t>(end - next), bytes + bytes % 2);
    }
    if (cursor.is_past_the_end()) return std::move(cursor).Take();
  }
  return base::InvalidArgument("IMAGE_TRUNCATED", "the BMP image is cut short; send the whole file");
}

}  // namespace modelpatch::data
