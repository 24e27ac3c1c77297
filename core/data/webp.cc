// WebP through libwebp, with its defaults. Container: https://developers.google.com/speed/webp/docs/riff_container
#include <fmt/format.h>
#include <webp/decode.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

#include "core/data/image_decoders.h"
#include "core/data/little_endian.h"

namespace modelpatch::data {
namespace {

constexpr size_t kRiffHeaderSize = 12;  // "RIFF", size, "WEBP"
constexpr size_t kChunkHeaderSize = 8;  // name, size

absl::Status Truncated() {
  return base::InvalidArgument("IMAGE_TRUNCATED", "the WebP image is cut short; send the whole file");
}

absl::Status Corrupt(std::string_view why) {
  return base::InvalidArgument("IMAGE_CORRUPT", fmt::format("the WebP image is damaged: {}", why));
}

absl::Status DecoderError(VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return Truncated();
    case VP8_STATUS_OUT_OF_MEMORY:
      return base::ResourceExhausted("OUT_OF_MEMORY", "no memory to decode the WebP image; send a smaller one");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return base::InvalidArgument("IMAGE_UNSUPPORTED", "the WebP image uses a feature that is not read");
    default:
      return Corrupt(fmt::format("libwebp's status is {}", static_cast<int>(code)));
  }
}

// Decodes the bitstream in `bytes` (with or without a container), of `width` x `height` pixels, to rows of `stride`
// bytes.
absl::Status DecodeBitstream(std::string_view bytes, int width, int height, uint8_t* pixels, size_t stride) {
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0)
    return base::Internal("WEBP_VERSION", "libwebp is not the one built against");
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels;
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size = stride * static_cast<size_t>(height - 1) + static_cast<size_t>(width) * 3;
  const VP8StatusCode code = WebPDecode(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), &config);
  return code == VP8_STATUS_OK ? absl::OkStatus() : DecoderError(code);
}

struct Frame {
  int64_t left = 0, top = 0, width = 0, height = 0;  // pixels, on the canvas
  std::string_view bitstream;
};

// The first ANMF chunk of an animation.
absl::StatusOr<Frame> FindFirstFrame(std::string_view file) {
  constexpr size_t kFrameHeaderSize = 16;
  size_t offset = kRiffHeaderSize;
  while (file.size() - offset >= kChunkHeaderSize) {
    const std::string_view name = file.substr(offset, 4);
    const size_t size = ReadLittleEndian(file, offset + 4, 4);
    offset += kChunkHeaderSize;
    if (size > file.size() - offset) return Truncated();
    const std::string_view payload = file.substr(offset, size);
    if (name == "ANMF") {
      if (size < kFrameHeaderSize) return Corrupt("a frame header is too short");
      return Frame{int64_t{ReadLittleEndian(payload, 0, 3)} * 2, int64_t{ReadLittleEndian(payload, 3, 3)} * 2,
                   int64_t{ReadLittleEndian(payload, 6, 3)} + 1, int64_t{ReadLittleEndian(payload, 9, 3)} + 1,
                   payload.substr(kFrameHeaderSize)};
    }
    offset = std::min(offset + size + size % 2, file.size());  // chunks are padded to an even size
  }
  return Corrupt("the animation has no frame");
}

// The canvas after the first frame: black where the frame does not reach.
absl::StatusOr<RgbImage> DecodeFirstFrame(std::string_view file, int64_t width, int64_t height) {
  MP_ASSIGN_OR_RETURN(const Frame frame, FindFirstFrame(file));
  WebPBitstreamFeatures features;
  const VP8StatusCode code =
      WebPGetFeatures(reinterpret_cast<const uint8_t*>(frame.bitstream.data()), frame.bitstream.size(), &features);
  if (code != VP8_STATUS_OK) return DecoderError(code);
  if (features.width != frame.width || features.height != frame.height || frame.left + frame.width > width ||
      frame.top + frame.height > height) {
    return Corrupt(fmt::format("a frame of {} x {} at ({}, {}) does not fit the canvas of {} x {}", features.width,
                               features.height, frame.left, frame.top, width, height));
  }
  RgbImage image = MakeImage(width, height);
  const size_t stride = static_cast<size_t>(width) * 3;
  uint8_t* const target =
      image.pixels.data() + stride * static_cast<size_t>(frame.top) + static_cast<size_t>(frame.left) * 3;
  MP_RETURN_IF_ERROR(DecodeBitstream(frame.bitstream, features.width, features.height, target, stride));
  return image;
}

}  // namespace

absl::StatusOr<RgbImage> DecodeWebp(std::string_view bytes, const DecodeLimits& limits) {
  // libwebp alone would accept a file that lost its last chunks.
  if (bytes.size() < kRiffHeaderSize || ReadLittleEndian(bytes, 4, 4) > bytes.size() - 8) return Truncated();
  WebPBitstreamFeatures features;
  const VP8StatusCode code = WebPGetFeatures(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), &features);
  if (code != VP8_STATUS_OK) return DecoderError(code);
  MP_RETURN_IF_ERROR(CheckImageSize(features.width, features.height, limits));
  if (features.has_animation != 0) return DecodeFirstFrame(bytes, features.width, features.height);
  RgbImage image = MakeImage(features.width, features.height);
  MP_RETURN_IF_ERROR(DecodeBitstream(bytes, features.width, features.height, image.pixels.data(),
                                     static_cast<size_t>(features.width) * 3));
  return image;
}

}  // namespace modelpatch::data
