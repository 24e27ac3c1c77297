#include "tests/data/dataset_samples.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "core/base/status.h"

namespace modelpatch::testing {

std::string Gzip(const std::string& content) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, content.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string BigEndian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

std::string IdxImages(uint32_t count, uint32_t rows, uint32_t columns) {
  std::string bytes = BigEndian(0x803) + BigEndian(count) + BigEndian(rows) + BigEndian(columns);
  for (uint32_t i = 0; i < count * rows * columns; ++i) bytes += static_cast<char>(i & 0xff);
  return bytes;
}

std::string IdxLabels(const std::vector<uint8_t>& labels) {
  return BigEndian(0x801) + BigEndian(static_cast<uint32_t>(labels.size())) + std::string(labels.begin(), labels.end());
}

std::string CifarRecords(const std::vector<uint8_t>& labels, int label_bytes) {
  std::string bytes;
  for (size_t record = 0; record < labels.size(); ++record) {
    if (label_bytes == 2) bytes += static_cast<char>(labels[record] / 5);
    bytes += static_cast<char>(labels[record]);
    for (size_t i = 0; i < 3072; ++i) bytes += static_cast<char>((13 * record + i) % 251);
  }
  return bytes;
}

absl::StatusOr<data::RgbImage> CountingDataset::image(int64_t index) const {
  if (index == broken_) return base::InvalidArgument("IMAGE_CORRUPT", "this one is broken");
  data::RgbImage image{width_, height_, std::vector<uint8_t>(3 * static_cast<size_t>(width_ * height_))};
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] =
        static_cast<uint8_t>((static_cast<size_t>(index) * 37 + i * (static_cast<size_t>(index) % 7 + 1)) & 0xff);
  }
  return image;
}

}  // namespace modelpatch::testing
