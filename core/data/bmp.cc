// Windows and OS/2 bitmaps. Formats: Windows' BITMAPCOREHEADER, BITMAPINFOHEADER, BITMAPV4HEADER and BITMAPV5HEADER
// with 1, 4, 8, 16, 24 and 32 bits a pixel, uncompressed, as bit fields or run-length encoded.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/data/bmp_runs.h"
#include "core/data/color_table.h"
#include "core/data/image_decoders.h"
#include "core/data/little_endian.h"

namespace modelpatch::data {
namespace {

constexpr size_t kFileHeaderSize = 14;
constexpr size_t kCoreHeaderSize = 12;
constexpr size_t kInfoHeaderSize = 40;

enum Compression : uint32_t { kRaw = 0, kRuns8 = 1, kRuns4 = 2, kBitFields = 3 };

absl::Status Truncated() {
  return base::InvalidArgument("IMAGE_TRUNCATED", "the BMP image is cut short; send the whole file");
}

absl::Status Unsupported(std::string_view what, int64_t value) {
  return base::InvalidArgument("IMAGE_UNSUPPORTED",
                               fmt::format("the BMP image has the {} {}, which is not read", what, value));
}

struct Header {
  size_t size = 0;  // bytes
  int64_t width = 0, height = 0;
  bool from_top = false;
  int bits = 0;  // a pixel
  uint32_t compression = kRaw;
  uint32_t red = 0, green = 0, blue = 0;  // masks
  size_t masks_size = 0;                  // bytes of masks that follow the header
  int64_t colors = 0;
  size_t color_size = 4;  // bytes

  // Of a row in the file, without its padding to a multiple of four.
  size_t row_bytes() const { return (static_cast<size_t>(width) * static_cast<size_t>(bits) + 7) / 8; }
};

bool IsKnownHeader(size_t size) {
  constexpr size_t kSizes[] = {kCoreHeaderSize, kInfoHeaderSize, 52, 56, 64, 108, 124};
  return std::find(std::begin(kSizes), std::end(kSizes), size) != std::end(kSizes);
}

void ReadCoreHeader(std::string_view bytes, Header& header) {
  header.width = ReadLittleEndian(bytes, kFileHeaderSize + 4, 2);
  header.height = ReadLittleEndian(bytes, kFileHeaderSize + 6, 2);
  header.bits = static_cast<int>(ReadLittleEndian(bytes, kFileHeaderSize + 10, 2));
  header.color_size = 3;
}

absl::Status ReadInfoHeader(std::string_view bytes, Header& header) {
  const auto field = [&](size_t offset, size_t count) {
    return ReadLittleEndian(bytes, kFileHeaderSize + offset, count);
  };
  header.width = field(4, 4);
  header.height = static_cast<int32_t>(field(8, 4));
  header.from_top = header.height < 0;
  header.height = std::abs(header.height);
  header.bits = static_cast<int>(field(14, 2));
  header.compression = field(16, 4);
  header.colors = field(32, 4);
  if (header.compression != kBitFields) return absl::OkStatus();
  if (header.size == kInfoHeaderSize) header.masks_size = 12;
  if (bytes.size() < kFileHeaderSize + kInfoHeaderSize + 12) return Truncated();
  header.red = field(40, 4);
  header.green = field(44, 4);
  header.blue = field(48, 4);
  return absl::OkStatus();
}

absl::StatusOr<Header> ReadHeader(std::string_view bytes) {
  if (bytes.size() < kFileHeaderSize + 4) return Truncated();
  Header header;
  header.size = ReadLittleEndian(bytes, kFileHeaderSize, 4);
  if (!IsKnownHeader(header.size)) return Unsupported("header size", static_cast<int64_t>(header.size));
  if (bytes.size() < kFileHeaderSize + header.size) return Truncated();
  if (header.size == kCoreHeaderSize) {
    ReadCoreHeader(bytes, header);
  } else {
    MP_RETURN_IF_ERROR(ReadInfoHeader(bytes, header));
  }
  const bool is_indexed = header.bits == 1 || header.bits == 4 || header.bits == 8;
  if (!is_indexed && header.bits != 16 && header.bits != 24 && header.bits != 32) {
    return Unsupported("depth", header.bits);
  }
  const bool is_packed = (header.compression == kRuns8 && header.bits == 8) ||
                         (header.compression == kRuns4 && header.bits == 4) ||
                         (header.compression == kBitFields && !is_indexed);
  if (header.compression != kRaw && !is_packed) return Unsupported("compression", header.compression);
  if (header.colors == 0 && is_indexed) header.colors = int64_t{1} << header.bits;
  return header;
}

absl::StatusOr<ColorTable> ReadColors(std::string_view bytes, const Header& header) {
  constexpr int64_t kMaximumColors = 1 << 16;
  if (header.colors > kMaximumColors) return Unsupported("number of colours", header.colors);
  const size_t offset = kFileHeaderSize + header.size;
  const size_t count = std::min<size_t>(static_cast<size_t>(header.colors), 256);
  if (bytes.size() < offset + count * header.color_size) return Truncated();
  ColorTable colors = ShadesOfGrey();
  for (size_t i = 0; i < count; ++i) {
    for (size_t channel = 0; channel < 3; ++channel) {
      colors[i][channel] = static_cast<uint8_t>(bytes[offset + i * header.color_size + 2 - channel]);
    }
  }
  return colors;
}

// Where a pixel's channel lies: `shift` bits from the right, `maximum` its largest value.
struct Field {
  int shift = 0;
  uint32_t maximum = 255;

  uint8_t Read(uint32_t pixel) const { return static_cast<uint8_t>((pixel >> shift & maximum) * 255 / maximum); }
};

struct Fields {
  Field red, green, blue;
};

// The layouts that Pillow reads: whole bytes, and 5 or 6 bits of 16.
absl::StatusOr<Fields> FieldsOf(const Header& header) {
  const Fields bytes = {{16}, {8}, {0}};
  const Fields five_bits = {{10, 31}, {5, 31}, {0, 31}};
  if (header.compression == kRaw) return header.bits == 16 ? five_bits : bytes;
  const auto is = [&](uint32_t red, uint32_t green, uint32_t blue) {
    return header.red == red && header.green == green && header.blue == blue;
  };
  if (header.bits == 16) {
    if (is(0xf800, 0x7e0, 0x1f)) return Fields{{11, 31}, {5, 63}, {0, 31}};
    if (is(0x7c00, 0x3e0, 0x1f)) return five_bits;
  } else if (is(0xff0000, 0xff00, 0xff) || (header.bits == 32 && is(0, 0, 0))) {
    return bytes;
  } else if (header.bits == 32 && is(0xff000000, 0xff0000, 0xff00)) {
    return Fields{{24}, {16}, {8}};
  } else if (header.bits == 32 && is(0xff, 0xff00, 0xff0000)) {
    return Fields{{0}, {8}, {16}};
  }
  return base::InvalidArgument("IMAGE_UNSUPPORTED",
                               fmt::format("the BMP image's bit fields {:x}, {:x}, {:x} of {} bits are not read",
                                           header.red, header.green, header.blue, header.bits));
}

// A row of indices of 1, 4 or 8 bits, the first pixel in the highest bits.
void UnpackIndices(const uint8_t* row, int bits, size_t width, uint8_t* indices) {
  const auto per_byte = static_cast<size_t>(8 / bits);
  const auto mask = static_cast<uint8_t>((1 << bits) - 1);
  for (size_t x = 0; x < width; ++x) {
    const auto shift = static_cast<int>(per_byte - 1 - x % per_byte) * bits;
    indices[x] = static_cast<uint8_t>(row[x / per_byte] >> shift) & mask;
  }
}

void UnpackFields(const uint8_t* row, int bits, const Fields& fields, size_t width, uint8_t* rgb) {
  const auto bytes = static_cast<size_t>(bits / 8);
  const std::string_view pixels(reinterpret_cast<const char*>(row), width * bytes);
  for (size_t x = 0; x < width; ++x, rgb += 3) {
    const uint32_t pixel = ReadLittleEndian(pixels, x * bytes, bytes);
    rgb[0] = fields.red.Read(pixel);
    rgb[1] = fields.green.Read(pixel);
    rgb[2] = fields.blue.Read(pixel);
  }
}

size_t PixelsOffset(std::string_view bytes, const Header& header) {
  const size_t after_header = kFileHeaderSize + header.size + header.masks_size;
  const size_t after_colors =
      after_header + (header.bits <= 8 ? static_cast<size_t>(header.colors) * header.color_size : 0);
  const size_t stated = ReadLittleEndian(bytes, 10, 4);
  // Some writers count no colours.
  return stated == 0 || (header.bits <= 8 && stated == kFileHeaderSize + header.size) ? after_colors : stated;
}

// One row of the file becomes one row of the image.
class RowReader {
 public:
  static absl::StatusOr<RowReader> Make(std::string_view bytes, const Header& header) {
    RowReader reader(header);
    if (header.bits > 8) {
      MP_ASSIGN_OR_RETURN(reader.fields_, FieldsOf(header));
    } else {
      MP_ASSIGN_OR_RETURN(reader.colors_, ReadColors(bytes, header));
      reader.indices_.resize(static_cast<size_t>(header.width));
    }
    return reader;
  }

  void Read(const uint8_t* row, uint8_t* rgb) {
    const auto width = static_cast<size_t>(header_.width);
    if (header_.bits > 8) return UnpackFields(row, header_.bits, fields_, width, rgb);
    UnpackIndices(row, header_.bits, width, indices_.data());
    ApplyColors(colors_, indices_.data(), width, rgb);
  }
  const ColorTable& colors() const { return colors_; }

 private:
  explicit RowReader(const Header& header) : header_(header) {}

  Header header_;
  Fields fields_;
  ColorTable colors_ = {};
  std::vector<uint8_t> indices_;
};

}  // namespace

absl::StatusOr<RgbImage> DecodeBmp(std::string_view bytes, const DecodeLimits& limits) {
  MP_ASSIGN_OR_RETURN(const Header header, ReadHeader(bytes));
  MP_RETURN_IF_ERROR(CheckImageSize(header.width, header.height, limits));
  MP_ASSIGN_OR_RETURN(RowReader reader, RowReader::Make(bytes, header));
  const size_t offset = PixelsOffset(bytes, header);
  if (offset > bytes.size()) return Truncated();
  const std::string_view data = bytes.substr(offset);
  const auto width = static_cast<size_t>(header.width);
  const auto height = static_cast<size_t>(header.height);
  const auto target_row = [&](RgbImage& image, size_t row) {
    return image.pixels.data() + (header.from_top ? row : height - 1 - row) * width * 3;
  };
  if (header.compression == kRuns8 || header.compression == kRuns4) {
    RgbImage image = MakeImage(header.width, header.height);
    MP_ASSIGN_OR_RETURN(const std::vector<uint8_t> indices, DecodeBmpRuns(data, header.bits, width, height));
    for (size_t y = 0; y < height; ++y) {
      ApplyColors(reader.colors(), indices.data() + y * width, width, target_row(image, y));
    }
    return image;
  }
  const size_t row_bytes = header.row_bytes();
  const size_t stride = (row_bytes + 3) / 4 * 4;
  if (data.size() < stride * (height - 1) + row_bytes) return Truncated();
  RgbImage image = MakeImage(header.width, header.height);
  for (size_t y = 0; y < height; ++y) {
    reader.Read(reinterpret_cast<const uint8_t*>(data.data()) + y * stride, target_row(image, y));
  }
  return image;
}

}  // namespace modelpatch::data
