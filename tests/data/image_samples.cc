#include "tests/data/image_samples.h"

#include <gtest/gtest.h>
#include <png.h>
#include <webp/encode.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>

// jpeglib.h does not include what it uses.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include "core/base/random.h"

namespace modelpatch::testing {

data::RgbImage NoiseImage(int width, int height, uint64_t seed) {
  data::RgbImage image{width, height, {}};
  base::RandomStream random(seed, "noise image");
  image.pixels.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(random.Below(256));
  return image;
}

data::RgbImage GradientImage(int width, int height) {
  data::RgbImage image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.pixels.push_back(static_cast<uint8_t>(255 * x / width));
      image.pixels.push_back(static_cast<uint8_t>(255 * y / height));
      image.pixels.push_back(static_cast<uint8_t>(255 * (x + y) / (width + height)));
    }
  }
  return image;
}

std::string EncodeJpeg(const data::RgbImage& image, const JpegOptions& options) {
  jpeg_compress_struct info = {};
  jpeg_error_mgr error;
  info.err = jpeg_std_error(&error);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = options.channels;
  info.in_color_space = options.channels == 1 ? JCS_GRAYSCALE : options.channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, options.quality, TRUE);
  if (options.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  std::vector<uint8_t> row;
  while (info.next_scanline < info.image_height) {
    row.clear();
    for (size_t x = 0; x < info.image_width; ++x) {
      const uint8_t* pixel = &image.pixels[(info.next_scanline * size_t{info.image_width} + x) * 3];
      row.insert(row.end(), pixel, pixel + std::min(options.channels, 3));
      if (options.channels == 4) row.push_back(255);
    }
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string encoded(reinterpret_cast<const char*>(buffer), size);
  std::free(buffer);
  return encoded;
}

std::string EncodePngRows(const PngOptions& options, const std::vector<uint8_t>& rows) {
  std::string encoded;
  // Without an error handler of ours libpng aborts the test program, which is right for a broken test.
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &encoded,
      [](png_structp writer, png_bytep data, size_t size) {
        static_cast<std::string*>(png_get_io_ptr(writer))->append(reinterpret_cast<const char*>(data), size);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, static_cast<png_uint_32>(options.width), static_cast<png_uint_32>(options.height),
               options.bit_depth, options.colour_type, options.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!options.palette.empty()) {
    std::vector<png_color> palette;
    for (size_t i = 0; i < options.palette.size(); i += 3) {
      palette.push_back({options.palette[i], options.palette[i + 1], options.palette[i + 2]});
    }
    png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
  }
  if (!options.transparency.empty()) {
    png_set_tRNS(png, info, options.transparency.data(), static_cast<int>(options.transparency.size()), nullptr);
  }
  png_write_info(png, info);
  const size_t stride = png_get_rowbytes(png, info);
  EXPECT_EQ(rows.size(), stride * static_cast<size_t>(options.height));
  std::vector<png_bytep> pointers;
  for (size_t y = 0; y < static_cast<size_t>(options.height); ++y) {
    pointers.push_back(const_cast<png_bytep>(rows.data()) + y * stride);
  }
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return encoded;
}

namespace {
std::string TakeWebp(uint8_t* buffer, size_t size) {
  std::string encoded(reinterpret_cast<const char*>(buffer), size);
  WebPFree(buffer);
  return encoded;
}
}  // namespace

std::string EncodeLosslessWebp(int width, int height, const std::vector<uint8_t>& rgba) {
  uint8_t* buffer = nullptr;
  const size_t size = WebPEncodeLosslessRGBA(rgba.data(), width, height, width * 4, &buffer);
  return TakeWebp(buffer, size);
}

std::string EncodeLossyWebp(const data::RgbImage& image) {
  uint8_t* buffer = nullptr;
  const size_t size = WebPEncodeRGB(image.pixels.data(), image.width, image.height, image.width * 3, 90.0f, &buffer);
  return TakeWebp(buffer, size);
}

}  // namespace modelpatch::testing
