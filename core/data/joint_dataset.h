// JointDataset: the examples of several datasets as one, each told apart from the classes of its own dataset alone.
//
// The classes of the parts stand one after the other: class c of a part is class (classes of the parts before) + c. So
// one batch may mix tasks whose classes have nothing to do with each other. Immutable, thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/data/dataset.h"

namespace modelpatch::data {

struct JointPart {
  std::shared_ptr<const Dataset> dataset;
  int32_t classes;
};

enum class JointBalance {
  // Every example once.
  kBySize,
  // Every part as often as the largest one: the examples of smaller ones come again, from the first on, so that some of
  // them may come once more than others.
  kEven
};

class JointDataset final : public Dataset {
 public:
  JointDataset(std::vector<JointPart> parts, JointBalance balance);

  int64_t size() const override { return first_examples_.back(); }
  int32_t label(int64_t index) const override;
  std::vector<int32_t> candidates(int64_t index) const override;
  absl::StatusOr<RgbImage> image(int64_t index) const override;

  // The first class of part p; of its size, the number of all classes.
  int32_t first_class(size_t part) const { return first_classes_[part]; }

 private:
  struct Place {
    size_t part;
    // In that part's dataset.
    int64_t index;
  };
  Place PlaceOf(int64_t index) const;

  const std::vector<JointPart> parts_;
  // One more than there are parts: where each one begins, and the end.
  std::vector<int32_t> first_classes_ = {0};
  std::vector<int64_t> first_examples_ = {0};
};

}  // namespace modelpatch::data
