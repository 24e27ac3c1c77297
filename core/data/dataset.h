// Dataset: labelled images by index.
//
// Implementations are immutable once made and safe to use from any number of threads at once. `index` must lie in
// [0, size()). Labels were checked when the dataset was opened, images are decoded when they are asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/data/image.h"

namespace modelpatch::data {

enum class Split { kTrain, kValidation, kTest };

class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual int64_t size() const = 0;
  // The class of example `index`, counted from 0.
  virtual int32_t label(int64_t index) const = 0;
  // The classes that example `index` is told apart from, ascending, its own among them. Empty: all classes.
  virtual std::vector<int32_t> candidates(int64_t index) const {
    (void)index;
    return {};
  }
  // Errors: those of DecodeImage and of reading a file, with the file's name.
  virtual absl::StatusOr<RgbImage> image(int64_t index) const = 0;
};

// What the opening functions of the formats return.
struct OpenedDataset {
  std::shared_ptr<const Dataset> dataset;
  // The names that the format itself has (folder names); empty for a format that only has numbers.
  std::vector<std::string> class_names;
  // SHA-256 of everything the examples depend on: the bytes of the files, in order.
  std::string digest;
};

// The labels of all examples, in order.
inline std::vector<int32_t> LabelsOf(const Dataset& dataset) {
  std::vector<int32_t> labels(static_cast<size_t>(dataset.size()));
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = dataset.label(static_cast<int64_t>(i));
  return labels;
}

// A view of some examples of another dataset, in the order of `indices`, which must be valid there.
class SubsetDataset final : public Dataset {
 public:
  SubsetDataset(std::shared_ptr<const Dataset> whole, std::vector<int64_t> indices)
      : whole_(std::move(whole)), indices_(std::move(indices)) {}

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  int32_t label(int64_t index) const override { return whole_->label(indices_[static_cast<size_t>(index)]); }
  std::vector<int32_t> candidates(int64_t index) const override {
    return whole_->candidates(indices_[static_cast<size_t>(index)]);
  }
  absl::StatusOr<RgbImage> image(int64_t index) const override {
    return whole_->image(indices_[static_cast<size_t>(index)]);
  }

 private:
  const std::shared_ptr<const Dataset> whole_;
  const std::vector<int64_t> indices_;
};

}  // namespace modelpatch::data
