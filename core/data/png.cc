// PNG through libpng.
//
// libpng reports errors by longjmp. The functions that call setjmp hold no object with a destructor and no local that
// changes after it: all state lies in a PngReader that their caller owns.
#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "core/data/image_decoders.h"

namespace modelpatch::data {
namespace {

class PngReader {
 public:
  explicit PngReader(std::string_view bytes) : rest_(bytes) {}
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  // Each false on an error, which Error() then tells.
  bool ReadHeader();
  // `pixels` is uint8 [height, width, 3].
  bool ReadPixels(uint8_t* pixels);
  absl::Status Error() const;

  int64_t width() const { return width_; }
  int64_t height() const { return height_; }

 private:
  static void ReadBytes(png_structp png, png_bytep target, size_t count);
  [[noreturn]] static void Fail(png_structp png, png_const_charp message);
  void ReadRows(uint8_t* pixels);

  std::string_view rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  uint32_t width_ = 0;
  uint32_t height_ = 0;
  bool is_grey_16_ = false;
  bool truncated_ = false;
  char message_[128] = "out of memory";
};

void PngReader::ReadBytes(png_structp png, png_bytep target, size_t count) {
  auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
  if (count > reader->rest_.size()) {
    reader->truncated_ = true;
    png_error(png, "end of file");
  }
  std::memcpy(target, reader->rest_.data(), count);
  reader->rest_.remove_prefix(count);
}

void PngReader::Fail(png_structp png, png_const_charp message) {
  auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
  std::strncpy(reader->message_, message, sizeof(reader->message_) - 1);
  png_longjmp(png, 1);
}

absl::Status PngReader::Error() const {
  if (truncated_) return base::InvalidArgument("IMAGE_TRUNCATED", "the PNG image is cut short; send the whole file");
  return base::InvalidArgument("IMAGE_CORRUPT", fmt::format("the PNG image is damaged: {}", message_));
}

bool PngReader::ReadHeader() {
  png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, Fail, [](png_structp, png_const_charp) {});
  if (png_ == nullptr) return false;
  if (setjmp(png_jmpbuf(png_)) != 0) return false;
  info_ = png_create_info_struct(png_);
  if (info_ == nullptr) return false;
  png_set_read_fn(png_, this, ReadBytes);
  // The number of pixels is what is limited (by the caller), not each side.
  png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  // Texts, profiles and the like are skipped unread: they do not change the pixels and may be compressed bombs.
  png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(png_, info_);
  width_ = png_get_image_width(png_, info_);
  height_ = png_get_image_height(png_, info_);
  return true;
}

bool PngReader::ReadPixels(uint8_t* pixels) {
  if (setjmp(png_jmpbuf(png_)) != 0) return false;
  const int colour_type = png_get_color_type(png_, info_);
  is_grey_16_ = colour_type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png_, info_) == 16;
  if (!is_grey_16_) {
    png_set_strip_16(png_);  // the high byte
    if (colour_type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
    if (colour_type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png_);
    if ((colour_type & PNG_COLOR_MASK_COLOR) == 0) png_set_gray_to_rgb(png_);
    png_set_strip_alpha(png_);
  }
  ReadRows(pixels);
  return true;
}

void PngReader::ReadRows(uint8_t* pixels) {
  const int passes = png_set_interlace_handling(png_);
  png_read_update_info(png_, info_);
  const size_t stride = static_cast<size_t>(width_) * 3;
  if (png_get_rowbytes(png_, info_) > stride) png_error(png_, "unexpected row size");
  for (int pass = 0; pass < passes; ++pass) {
    for (uint32_t y = 0; y < height_; ++y) png_read_row(png_, pixels + stride * y, nullptr);
  }
  if (!is_grey_16_) return;
  // The row holds two bytes a pixel, big end first. Pillow reads them as an integer and clips it; from the right, so
  // that a pixel's three bytes never fall on bytes not yet read.
  for (uint32_t y = 0; y < height_; ++y) {
    uint8_t* const row = pixels + stride * y;
    for (size_t x = width_; x-- > 0;) {
      const uint8_t value = row[2 * x] != 0 ? 255 : row[2 * x + 1];
      row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = value;
    }
  }
}

}  // namespace

absl::StatusOr<RgbImage> DecodePng(std::string_view bytes, const DecodeLimits& limits) {
  PngReader reader(bytes);
  if (!reader.ReadHeader()) return reader.Error();
  MP_RETURN_IF_ERROR(CheckImageSize(reader.width(), reader.height(), limits));
  RgbImage image = MakeImage(reader.width(), reader.height());
  if (!reader.ReadPixels(image.pixels.data())) return reader.Error();
  return image;
}

absl::StatusOr<std::string> EncodePng(const RgbImage& image) {
  if (image.width <= 0 || image.height <= 0) {
    return base::InvalidArgument("IMAGE_EMPTY",
                                 fmt::format("an image of {} x {} pixels has no PNG form", image.width, image.height));
  }
  if (image.pixels.size() / 3 / static_cast<size_t>(image.width) != static_cast<size_t>(image.height) ||
      image.pixels.size() % (3 * static_cast<size_t>(image.width)) != 0) {
    return base::InvalidArgument("IMAGE_CORRUPT", fmt::format("an image of {} x {} pixels does not have {} bytes",
                                                              image.width, image.height, image.pixels.size()));
  }
  png_image header = {};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<uint32_t>(image.width);
  header.height = static_cast<uint32_t>(image.height);
  header.format = PNG_FORMAT_RGB;
  std::string encoded(PNG_IMAGE_PNG_SIZE_MAX(header), '\0');
  png_alloc_size_t size = encoded.size();
  if (png_image_write_to_memory(&header, encoded.data(), &size, 0, image.pixels.data(), 0, nullptr) == 0) {
    return base::Internal("PNG_ENCODING_FAILED", fmt::format("libpng cannot encode {} x {} pixels: {}", image.width,
                                                             image.height, header.message));
  }
  encoded.resize(size);
  return encoded;
}

}  // namespace modelpatch::data
