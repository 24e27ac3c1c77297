// GIF: its first frame on the logical screen. Format: https://www.w3.org/Graphics/GIF/spec-gif89a.txt
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "core/data/color_table.h"
#include "core/data/gif_codes.h"
#include "core/data/image_decoders.h"
#include "core/data/little_endian.h"

namespace modelpatch::data {
namespace {

constexpr size_t kScreenSize = 13;  // bytes, signature included
constexpr uint8_t kExtension = '!';
constexpr uint8_t kFrame = ',';
constexpr uint8_t kTrailer = ';';
constexpr uint8_t kGraphicControl = 0xf9;

absl::Status Truncated() {
  return base::InvalidArgument("IMAGE_TRUNCATED", "the GIF image is cut short; send the whole file");
}

// What stands before a frame's pixels.
struct Frame {
  int64_t left = 0, top = 0, width = 0, height = 0;
  bool is_interlaced = false;
  std::optional<uint8_t> transparent;  // index
  ColorTable colors = ShadesOfGrey();
};

class GifReader {
 public:
  explicit GifReader(std::string_view bytes) : bytes_(bytes) {}

  absl::StatusOr<RgbImage> Decode(const DecodeLimits& limits) {
    if (bytes_.size() < kScreenSize) return Truncated();
    int64_t width = ReadLittleEndian(bytes_, 6, 2);
    int64_t height = ReadLittleEndian(bytes_, 8, 2);
    const auto flags = static_cast<uint8_t>(bytes_[10]);
    offset_ = kScreenSize;
    MP_RETURN_IF_ERROR(ReadColors(flags));
    MP_RETURN_IF_ERROR(FindFrame());
    // As in Pillow, a frame that stands out of the screen enlarges it.
    width = std::max(width, frame_.left + frame_.width);
    height = std::max(height, frame_.top + frame_.height);
    MP_RETURN_IF_ERROR(CheckImageSize(width, height, limits));
    MP_RETURN_IF_ERROR(CheckImageSize(frame_.width, frame_.height, limits));
    return Draw(width, height);
  }

 private:
  size_t left_over() const { return bytes_.size() - offset_; }
  uint8_t Next() { return static_cast<uint8_t>(bytes_[offset_++]); }

  // The colour table that `flags` announce, if they do.
  absl::Status ReadColors(uint8_t flags) {
    if ((flags & 0x80) == 0) return absl::OkStatus();
    const size_t count = size_t{2} << (flags & 7);
    if (left_over() < 3 * count) return Truncated();
    frame_.colors = ShadesOfGrey();
    for (size_t i = 0; i < count; ++i) {
      for (uint8_t& channel : frame_.colors[i]) channel = Next();
    }
    return absl::OkStatus();
  }

  // Past the extensions, to the pixels of the first frame.
  absl::Status FindFrame() {
    while (left_over() > 0) {
      const uint8_t kind = Next();
      if (kind == kTrailer) return base::InvalidArgument("IMAGE_EMPTY", "the GIF image has no frame");
      if (kind == kFrame) return ReadFrame();
      if (kind == kExtension) MP_RETURN_IF_ERROR(ReadExtension());
      // Anything else is skipped, as in Pillow.
    }
    return Truncated();
  }

  absl::Status ReadExtension() {
    if (left_over() < 2) return Truncated();
    const uint8_t label = Next();
    const size_t size = static_cast<uint8_t>(bytes_[offset_]);
    if (label == kGraphicControl && size >= 4 && left_over() > size) {
      const auto flags = static_cast<uint8_t>(bytes_[offset_ + 1]);
      if ((flags & 1) != 0) frame_.transparent = static_cast<uint8_t>(bytes_[offset_ + 4]);
    }
    while (left_over() > 0) {
      const size_t block = Next();
      if (block == 0) return absl::OkStatus();
      if (left_over() < block) return Truncated();
      offset_ += block;
    }
    return Truncated();
  }

  absl::Status ReadFrame() {
    constexpr size_t kDescriptorSize = 9;
    if (left_over() < kDescriptorSize) return Truncated();
    frame_.left = ReadLittleEndian(bytes_, offset_, 2);
    frame_.top = ReadLittleEndian(bytes_, offset_ + 2, 2);
    frame_.width = ReadLittleEndian(bytes_, offset_ + 4, 2);
    frame_.height = ReadLittleEndian(bytes_, offset_ + 6, 2);
    const auto flags = static_cast<uint8_t>(bytes_[offset_ + 8]);
    frame_.is_interlaced = (flags & 0x40) != 0;
    offset_ += kDescriptorSize;
    return ReadColors(flags);
  }

  // The rows of an interlaced frame come in four passes.
  std::vector<size_t> RowOrder() const {
    const auto height = static_cast<size_t>(frame_.height);
    std::vector<size_t> order;
    order.reserve(height);
    if (!frame_.is_interlaced) {
      for (size_t y = 0; y < height; ++y) order.push_back(y);
      return order;
    }
    for (const auto& [first, step] : {std::pair<size_t, size_t>{0, 8}, {4, 8}, {2, 4}, {1, 2}}) {
      for (size_t y = first; y < height; y += step) order.push_back(y);
    }
    return order;
  }

  absl::StatusOr<RgbImage> Draw(int64_t width, int64_t height) {
    const auto frame_width = static_cast<size_t>(frame_.width);
    std::vector<uint8_t> indices(frame_width * static_cast<size_t>(frame_.height));
    MP_RETURN_IF_ERROR(DecodeGifCodes(bytes_.substr(offset_), indices));
    RgbImage image = MakeImage(width, height);
    // Around the frame is what Pillow begins with: the transparent index, or the first.
    const auto& around = frame_.colors[frame_.transparent.value_or(0)];
    for (size_t i = 0; i < image.pixels.size(); i += 3) std::copy(around.begin(), around.end(), &image.pixels[i]);
    const uint8_t* row = indices.data();
    for (const size_t y : RowOrder()) {
      const size_t pixel =
          (static_cast<size_t>(frame_.top) + y) * static_cast<size_t>(width) + static_cast<size_t>(frame_.left);
      ApplyColors(frame_.colors, row, frame_width, image.pixels.data() + 3 * pixel);
      row += frame_width;
    }
    return image;
  }

  const std::string_view bytes_;
  size_t offset_ = 0;
  Frame frame_;
};

}  // namespace

absl::StatusOr<RgbImage> DecodeGif(std::string_view bytes, const DecodeLimits& limits) {
  return GifReader(bytes).Decode(limits);
}

}  // namespace modelpatch::data
