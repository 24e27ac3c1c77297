// Small files of the dataset formats, as bytes, and a dataset that counts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/data/dataset.h"

namespace modelpatch::testing {

// `content` as one gzip member.
std::string Gzip(const std::string& content);

// `value` as four big-endian bytes.
std::string BigEndian(uint32_t value);

// An IDX images file of `count` images of `rows` x `columns` pixels; the bytes count up from 0.
std::string IdxImages(uint32_t count, uint32_t rows, uint32_t columns);
std::string IdxLabels(const std::vector<uint8_t>& labels);

// A CIFAR file with these labels. With two label bytes the coarse one is `fine / 5`. Byte i of the pixels of record r
// is 13 r + i mod 251.
std::string CifarRecords(const std::vector<uint8_t>& labels, int label_bytes);

// `size` examples, label = index mod `classes`, images of `width` x `height` that differ from each other. Example
// `broken` (if not negative) cannot be read.
class CountingDataset final : public data::Dataset {
 public:
  CountingDataset(int64_t size, int32_t classes, int width, int height, int64_t broken = -1)
      : size_(size), classes_(classes), width_(width), height_(height), broken_(broken) {}

  int64_t size() const override { return size_; }
  int32_t label(int64_t index) const override { return static_cast<int32_t>(index % classes_); }
  absl::StatusOr<data::RgbImage> image(int64_t index) const override;

 private:
  const int64_t size_;
  const int32_t classes_;
  const int width_, height_;
  const int64_t broken_;
};

// The same, each example told apart from the class after its own alone.
class PairedDataset final : public data::Dataset {
 public:
  PairedDataset(int64_t size, int32_t classes) : whole_(size, classes, 12, 10), classes_(classes) {}

  int64_t size() const override { return whole_.size(); }
  int32_t label(int64_t index) const override { return whole_.label(index); }
  std::vector<int32_t> candidates(int64_t index) const override {
    const int32_t own = label(index);
    const int32_t other = (own + 1) % classes_;
    return {std::min(own, other), std::max(own, other)};
  }
  absl::StatusOr<data::RgbImage> image(int64_t index) const override { return whole_.image(index); }

 private:
  const CountingDataset whole_;
  const int32_t classes_;
};

}  // namespace modelpatch::testing
