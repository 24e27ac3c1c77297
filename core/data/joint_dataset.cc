#include "core/data/joint_dataset.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace modelpatch::data {

JointDataset::JointDataset(std::vector<JointPart> parts, JointBalance balance) : parts_(std::move(parts)) {
  int64_t largest = 0;
  for (const JointPart& part : parts_) largest = std::max(largest, part.dataset->size());
  for (const JointPart& part : parts_) {
    const int64_t size = part.dataset->size();
    const bool repeats = balance == JointBalance::kEven && size > 0;
    first_examples_.push_back(first_examples_.back() + (repeats ? largest : size));
    first_classes_.push_back(first_classes_.back() + part.classes);
  }
}

int32_t JointDataset::label(int64_t index) const {
  const Place place = PlaceOf(index);
  return first_classes_[place.part] + parts_[place.part].dataset->label(place.index);
}

std::vector<int32_t> JointDataset::candidates(int64_t index) const {
  const Place place = PlaceOf(index);
  const int32_t first = first_classes_[place.part];
  std::vector<int32_t> allowed = parts_[place.part].dataset->candidates(place.index);
  if (allowed.empty()) {
    allowed.resize(static_cast<size_t>(parts_[place.part].classes));
    std::iota(allowed.begin(), allowed.end(), first);
  } else {
    for (int32_t& one : allowed) one += first;
  }
  return allowed;
}

absl::StatusOr<RgbImage> JointDataset::image(int64_t index) const {
  const Place place = PlaceOf(index);
  return parts_[place.part].dataset->image(place.index);
}

JointDataset::Place JointDataset::PlaceOf(int64_t index) const {
  // The first part that ends behind the example.
  const auto end = std::upper_bound(first_examples_.begin() + 1, first_examples_.end(), index);
  const auto part = static_cast<size_t>(end - first_examples_.begin()) - 1;
  return {part, (index - first_examples_[part]) % parts_[part].dataset->size()};
}

}  // namespace modelpatch::data
