// JPEG through libjpeg-turbo, with its defaults (accurate integer DCT, smooth chroma upsampling), which are Pillow's.
//
// libjpeg reports errors by longjmp. The functions that call setjmp hold no object with a destructor and no local that
// changes after it: all state lies in a JpegReader that their caller owns.
#include <fmt/format.h>

#include <csetjmp>
#include <cstddef>
#include <string_view>
#include <vector>

// jpeglib.h does not include what it uses, and jerror.h needs jpeglib.h.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "core/data/image_decoders.h"

namespace modelpatch::data {
namespace {

enum class Failure { kCorrupt, kTruncated, kTooLarge, kUnsupported, kTooManyScans };

// The libjpeg structures point into one another: not movable.
class JpegReader {
 public:
  JpegReader(std::string_view bytes, int maximum_scans);
  // Safe at any stage: libjpeg frees what there is.
  ~JpegReader() { jpeg_destroy_decompress(&info); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  // Each false on an error, which Error() then tells.
  bool ReadHeader();
  // `pixels` is uint8 [height, width, 3]; `row` is scratch for one row of four channels, used for CMYK.
  bool ReadPixels(uint8_t* pixels, uint8_t* row);
  absl::Status Error() const;

  jpeg_decompress_struct info = {};

 private:
  static JpegReader* From(j_common_ptr info) { return static_cast<JpegReader*>(info->client_data); }
  [[noreturn]] static void Fail(j_common_ptr info, Failure failure);
  void ReadRows(uint8_t* pixels, uint8_t* row);

  jpeg_error_mgr error_ = {};
  jpeg_source_mgr source_ = {};
  jpeg_progress_mgr progress_ = {};
  std::jmp_buf escape_ = {};
  Failure failure_ = Failure::kCorrupt;
  const int maximum_scans_;
  char message_[JMSG_LENGTH_MAX] = "";
};

JpegReader::JpegReader(std::string_view bytes, int maximum_scans) : maximum_scans_(maximum_scans) {
  info.err = jpeg_std_error(&error_);
  info.client_data = this;
  error_.error_exit = [](j_common_ptr failed) {
    failed->err->format_message(failed, From(failed)->message_);
    const int code = failed->err->msg_code;
    Fail(failed, code == JERR_IMAGE_TOO_BIG ? Failure::kTooLarge
                 : code == JERR_CONVERSION_NOTIMPL || code == JERR_BAD_PRECISION || code == JERR_SOF_UNSUPPORTED ||
                         code == JERR_ARITH_NOTIMPL
                     ? Failure::kUnsupported
                     : Failure::kCorrupt);
  };
  error_.emit_message = [](j_common_ptr, int) {};  // Pillow too ignores warnings about damaged data.
  error_.output_message = [](j_common_ptr) {};
  source_.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
  source_.bytes_in_buffer = bytes.size();
  source_.init_source = [](j_decompress_ptr) {};
  source_.term_source = [](j_decompress_ptr) {};
  source_.resync_to_restart = jpeg_resync_to_restart;
  // All bytes are in the buffer from the start: whoever asks for more has met the end of a cut file.
  source_.fill_input_buffer = [](j_decompress_ptr starved) -> boolean {
    Fail(reinterpret_cast<j_common_ptr>(starved), Failure::kTruncated);
  };
  source_.skip_input_data = [](j_decompress_ptr reader, long count) {
    if (count <= 0) return;
    if (static_cast<size_t>(count) > reader->src->bytes_in_buffer) {
      Fail(reinterpret_cast<j_common_ptr>(reader), Failure::kTruncated);
    }
    reader->src->next_input_byte += count;
    reader->src->bytes_in_buffer -= static_cast<size_t>(count);
  };
  progress_.progress_monitor = [](j_common_ptr running) {
    if (reinterpret_cast<j_decompress_ptr>(running)->input_scan_number > From(running)->maximum_scans_) {
      Fail(running, Failure::kTooManyScans);
    }
  };
}

void JpegReader::Fail(j_common_ptr info, Failure failure) {
  From(info)->failure_ = failure;
  std::longjmp(From(info)->escape_, 1);
}

absl::Status JpegReader::Error() const {
  switch (failure_) {
    case Failure::kTruncated:
      return base::InvalidArgument("IMAGE_TRUNCATED", "the JPEG image is cut short; send the whole file");
    case Failure::kTooLarge:
      return base::InvalidArgument("IMAGE_TOO_LARGE", fmt::format("the JPEG image is too large: {}", message_));
    case Failure::kUnsupported:
      return base::InvalidArgument("IMAGE_UNSUPPORTED",
                                   fmt::format("the JPEG image is of a kind that is not read: {}", message_));
    case Failure::kTooManyScans:
      return base::InvalidArgument("IMAGE_TOO_LARGE",
                                   fmt::format("the JPEG image has more than {} scans", maximum_scans_));
    case Failure::kCorrupt:
      break;
  }
  return base::InvalidArgument("IMAGE_CORRUPT", fmt::format("the JPEG image is damaged: {}", message_));
}

bool JpegReader::ReadHeader() {
  if (setjmp(escape_) != 0) return false;
  jpeg_create_decompress(&info);
  info.src = &source_;
  info.progress = &progress_;
  jpeg_read_header(&info, TRUE);
  return true;
}

bool JpegReader::ReadPixels(uint8_t* pixels, uint8_t* row) {
  if (setjmp(escape_) != 0) return false;
  info.out_color_space = info.num_components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&info);
  ReadRows(pixels, row);
  return true;
}

// Pillow's formulas: the stored channels are inverted inks, so key and colour multiply; the quotient by 255 is rounded.
void CmykToRgb(const uint8_t* cmyk, int width, uint8_t* rgb) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int not_key = cmyk[3];
    for (int channel = 0; channel < 3; ++channel) {
      const int product = (255 - cmyk[channel]) * not_key + 128;
      rgb[channel] = static_cast<uint8_t>(not_key - (((product >> 8) + product) >> 8));
    }
  }
}

void JpegReader::ReadRows(uint8_t* pixels, uint8_t* row) {
  const size_t stride = static_cast<size_t>(info.output_width) * 3;
  const bool is_cmyk = info.out_color_space == JCS_CMYK;
  while (info.output_scanline < info.output_height) {
    uint8_t* const output = pixels + stride * info.output_scanline;
    JSAMPROW target = is_cmyk ? row : output;
    jpeg_read_scanlines(&info, &target, 1);
    if (is_cmyk) CmykToRgb(row, static_cast<int>(info.output_width), output);
  }
}

}  // namespace

absl::StatusOr<RgbImage> DecodeJpeg(std::string_view bytes, const DecodeLimits& limits) {
  JpegReader reader(bytes, limits.maximum_jpeg_scans);
  if (!reader.ReadHeader()) return reader.Error();
  const int64_t width = reader.info.image_width;
  const int64_t height = reader.info.image_height;
  MP_RETURN_IF_ERROR(CheckImageSize(width, height, limits));
  const int channels = reader.info.num_components;
  if (channels != 1 && channels != 3 && channels != 4) {
    return base::InvalidArgument("IMAGE_UNSUPPORTED",
                                 fmt::format("the JPEG image has {} channels; it must have 1, 3 or 4", channels));
  }
  RgbImage image = MakeImage(width, height);
  std::vector<uint8_t> row(channels == 4 ? static_cast<size_t>(width) * 4 : 0);
  if (!reader.ReadPixels(image.pixels.data(), row.data())) return reader.Error();
  return image;
}

}  // namespace modelpatch::data
