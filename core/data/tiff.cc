// TIFF through libtiff: its first image. Format: TIFF 6.0.
//
// libtiff's error and warning handlers are given for each file (TIFFOpenOptions), so that its global ones, which write
// to stderr, are neither used nor changed. The file is read from memory, row by row or tile by tile.
#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "core/data/image_decoders.h"
#include "core/data/tiff_pixels.h"

namespace modelpatch::data {
namespace {

constexpr uint64_t kMaximumTileBytes = uint64_t{64} << 20;
// Of one allocation by libtiff: rows, tables of offsets, codecs.
constexpr tmsize_t kMaximumAllocation = tmsize_t{256} << 20;

// The compressions whose decoders work within bounded memory and report errors; not the withdrawn JPEG of TIFF 6.0.
bool IsKnownCompression(uint16_t compression) {
  constexpr uint16_t kKnown[] = {
      COMPRESSION_NONE, COMPRESSION_CCITTRLE,      COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4, COMPRESSION_LZW,
      COMPRESSION_JPEG, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE,   COMPRESSION_PACKBITS,  COMPRESSION_ZSTD};
  return std::find(std::begin(kKnown), std::end(kKnown), compression) != std::end(kKnown);
}

// A file in memory, as libtiff reads it.
class TiffSource {
 public:
  explicit TiffSource(std::string_view bytes) : bytes_(bytes) {}
  TiffSource(const TiffSource&) = delete;
  TiffSource& operator=(const TiffSource&) = delete;

  // Null on an error, which message() then tells. The source must outlive the handle.
  TIFF* Open() {
    TIFFOpenOptions* const options = TIFFOpenOptionsAlloc();
    if (options == nullptr) return nullptr;
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, kMaximumAllocation);
    TIFFOpenOptionsSetErrorHandlerExtR(options, OnError, this);
    TIFFOpenOptionsSetWarningHandlerExtR(
        options, [](TIFF*, void*, const char*, const char*, va_list) { return 1; }, nullptr);
    TIFF* const tiff = TIFFClientOpenExt(
        "image", "r", this, Read, [](thandle_t, void*, tmsize_t) { return tmsize_t{-1}; }, Seek,
        [](thandle_t) { return 0; }, [](thandle_t self) { return Source(self)->Size(); }, Map,
        [](thandle_t, void*, toff_t) {}, options);
    TIFFOpenOptionsFree(options);
    return tiff;
  }
  const char* message() const { return message_; }

 private:
  static TiffSource* Source(thandle_t self) { return static_cast<TiffSource*>(self); }
  toff_t Size() const { return bytes_.size(); }

  static tmsize_t Read(thandle_t self, void* target, tmsize_t count) {
    TiffSource& source = *Source(self);
    const size_t begin = std::min<size_t>(source.position_, source.bytes_.size());
    const size_t size = std::min(source.bytes_.size() - begin, static_cast<size_t>(count));
    std::memcpy(target, source.bytes_.data() + begin, size);
    source.position_ = begin + size;
    return static_cast<tmsize_t>(size);
  }
  static toff_t Seek(thandle_t self, toff_t offset, int whence) {
    TiffSource& source = *Source(self);
    const toff_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? source.position_ : source.Size();
    return source.position_ = base + offset;
  }
  static int Map(thandle_t self, void** base, toff_t* size) {
    // libtiff only reads what is mapped.
    *base = const_cast<char*>(Source(self)->bytes_.data());
    *size = Source(self)->Size();
    return 1;
  }
  // Keeps the first message, which is the cause of those that follow.
  static int OnError(TIFF*, void* self, const char*, const char* format, va_list arguments) {
    TiffSource& source = *static_cast<TiffSource*>(self);
    if (source.has_message_) return 1;
    source.has_message_ = true;
    std::vsnprintf(source.message_, sizeof(source.message_), format, arguments);
    return 1;
  }

  const std::string_view bytes_;
  toff_t position_ = 0;
  bool has_message_ = false;
  char message_[160] = "it cannot be read";
};

using TiffHandle = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

template <typename Value>
Value Field(TIFF* tiff, uint32_t tag) {
  Value value = {};
  TIFFGetFieldDefaulted(tiff, tag, &value);
  return value;
}

absl::StatusOr<TiffLayout> ReadLayout(TIFF* tiff) {
  const auto compression = Field<uint16_t>(tiff, TIFFTAG_COMPRESSION);
  if (!IsKnownCompression(compression) || TIFFIsCODECConfigured(compression) == 0) {
    return base::InvalidArgument("IMAGE_UNSUPPORTED",
                                 fmt::format("the TIFF image has the compression {}, which is not read", compression));
  }
  TiffLayout layout;
  layout.width = Field<uint32_t>(tiff, TIFFTAG_IMAGEWIDTH);
  layout.height = Field<uint32_t>(tiff, TIFFTAG_IMAGELENGTH);
  // Without the member, which it must have, a file is taken as Pillow takes it.
  if (TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &layout.photometric) == 0) layout.photometric = PHOTOMETRIC_MINISWHITE;
  layout.bits = Field<uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE);
  layout.samples = Field<uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL);
  layout.sample_format = Field<uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT);
  layout.orientation = Field<uint16_t>(tiff, TIFFTAG_ORIENTATION);
  layout.is_planar = Field<uint16_t>(tiff, TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE;
  uint16_t extra_count = 0;
  const uint16_t* extra = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &extra_count, &extra) != 0 && extra_count > 0) {
    layout.has_associated_alpha = extra[0] == EXTRASAMPLE_ASSOCALPHA;
  }
  if (compression == COMPRESSION_JPEG && layout.photometric == PHOTOMETRIC_YCBCR && !layout.is_planar) {
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    layout.photometric = PHOTOMETRIC_RGB;
  }
  if (layout.photometric == PHOTOMETRIC_PALETTE) {
    const uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
    if (TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue) == 0 || layout.bits > 8) {
      return base::InvalidArgument("IMAGE_CORRUPT", "the TIFF image has indices and no colours for them");
    }
    for (size_t i = 0; i < size_t{1} << layout.bits; ++i) {
      layout.colors[i] = {static_cast<uint8_t>(red[i] >> 8), static_cast<uint8_t>(green[i] >> 8),
                          static_cast<uint8_t>(blue[i] >> 8)};
    }
  }
  return layout;
}

// Reads the image in pieces of whole rows (or parts of them, where the file has tiles) and hands them on.
class TiffReader {
 public:
  TiffReader(TIFF* tiff, const TiffLayout& layout, RgbImage& image) : tiff_(tiff), pixels_(layout), image_(image) {}

  // False on an error of libtiff.
  bool ReadRows() {
    const TiffLayout& layout = pixels_.layout();
    std::vector<uint8_t> row(PieceBytes(TIFFScanlineSize64(tiff_), layout.width, 1));
    if (row.empty()) return false;
    for (uint16_t plane = 0; plane < pixels_.planes(); ++plane) {
      for (int64_t y = 0; y < layout.height; ++y) {
        if (TIFFReadScanline(tiff_, row.data(), static_cast<uint32_t>(y), plane) < 0) return false;
        pixels_.Store(row.data(), plane, static_cast<size_t>(layout.width), Target(0, y));
      }
    }
    return true;
  }

  bool ReadTiles() {
    const TiffLayout& layout = pixels_.layout();
    const int64_t width = Field<uint32_t>(tiff_, TIFFTAG_TILEWIDTH);
    const int64_t height = Field<uint32_t>(tiff_, TIFFTAG_TILELENGTH);
    if (width <= 0 || height <= 0 || TIFFTileSize64(tiff_) > kMaximumTileBytes) return false;
    std::vector<uint8_t> tile(PieceBytes(TIFFTileSize64(tiff_), width, height));
    const size_t row_bytes = TIFFTileRowSize64(tiff_);
    if (tile.empty() || row_bytes * static_cast<size_t>(height) > tile.size()) return false;
    for (uint16_t plane = 0; plane < pixels_.planes(); ++plane) {
      for (int64_t top = 0; top < layout.height; top += height) {
        for (int64_t left = 0; left < layout.width; left += width) {
          if (TIFFReadTile(tiff_, tile.data(), static_cast<uint32_t>(left), static_cast<uint32_t>(top), 0, plane) < 0) {
            return false;
          }
          const auto columns = static_cast<size_t>(std::min(width, layout.width - left));
          for (int64_t y = 0; y < std::min(height, layout.height - top); ++y) {
            pixels_.Store(tile.data() + static_cast<size_t>(y) * row_bytes, plane, columns, Target(left, top + y));
          }
        }
      }
    }
    return true;
  }

 private:
  // The size that libtiff states for a piece of the image, or 0 if its samples would not fit into that.
  size_t PieceBytes(uint64_t stated, int64_t width, int64_t height) const {
    const uint64_t needed = static_cast<uint64_t>(height) * pixels_.RowBytes(static_cast<size_t>(width));
    return stated < needed || stated > static_cast<uint64_t>(kMaximumAllocation) ? 0 : stated;
  }
  uint8_t* Target(int64_t x, int64_t y) { return image_.pixels.data() + (y * image_.width + x) * 3; }

  TIFF* const tiff_;
  TiffPixels pixels_;
  RgbImage& image_;
};

}  // namespace

absl::StatusOr<RgbImage> DecodeTiff(std::string_view bytes, const DecodeLimits& limits) {
  TiffSource source(bytes);
  const auto damaged = [&source] {
    return base::InvalidArgument("IMAGE_CORRUPT",
                                 fmt::format("the TIFF image is damaged or cut short: {}", source.message()));
  };
  const TiffHandle tiff(source.Open(), TIFFClose);
  if (tiff == nullptr) return damaged();
  MP_ASSIGN_OR_RETURN(const TiffLayout layout, ReadLayout(tiff.get()));
  MP_RETURN_IF_ERROR(CheckImageSize(layout.width, layout.height, limits));
  MP_RETURN_IF_ERROR(CheckTiffLayout(layout));
  RgbImage image = MakeImage(layout.width, layout.height);
  TiffReader reader(tiff.get(), layout, image);
  if (!(TIFFIsTiled(tiff.get()) != 0 ? reader.ReadTiles() : reader.ReadRows())) return damaged();
  return Oriented(std::move(image), layout.orientation);
}

}  // namespace modelpatch::data
