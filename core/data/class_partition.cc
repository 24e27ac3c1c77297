#include "core/data/class_partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/base/random.h"

namespace modelpatch::data {
namespace {

absl::Status BadPartition(std::string_view field, std::string_view message) {
  return base::WithField(base::InvalidArgument("BAD_CLASS_PARTITION", message), field);
}

class RelabelledDataset final : public Dataset {
 public:
  RelabelledDataset(std::shared_ptr<const Dataset> whole, std::vector<int64_t> indices, std::vector<int32_t> labels)
      : examples_(std::move(whole), std::move(indices)), labels_(std::move(labels)) {}

  int64_t size() const override { return examples_.size(); }
  int32_t label(int64_t index) const override { return labels_[static_cast<size_t>(index)]; }
  absl::StatusOr<RgbImage> image(int64_t index) const override { return examples_.image(index); }

 private:
  const SubsetDataset examples_;
  const std::vector<int32_t> labels_;
};

}  // namespace

absl::Status CheckClassPartition(const ClassPartition& partition, int64_t class_count) {
  if (partition.parts < 2) {
    return BadPartition("partition_parts",
                        fmt::format("the classes cannot be cut into {} parts; use at least 2, or no partition for all "
                                    "classes",
                                    partition.parts));
  }
  if (class_count > 0 && partition.parts > class_count) {
    return BadPartition("partition_parts", fmt::format("{} classes cannot be cut into {} parts; use at most {}",
                                                       class_count, partition.parts, class_count));
  }
  if (partition.part < 0 || partition.part >= partition.parts) {
    return BadPartition("partition_part", fmt::format("there is no part {}; {} parts are numbered 0 to {}",
                                                      partition.part, partition.parts, partition.parts - 1));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int32_t>> ClassesOfPart(const ClassPartition& partition, int64_t class_count) {
  MP_RETURN_IF_ERROR(CheckClassPartition(partition, class_count));
  const std::vector<int64_t> order = base::RandomStream(partition.seed, "class partition").Permutation(class_count);
  const int64_t smaller = class_count / partition.parts;
  const int64_t larger_parts = class_count % partition.parts;
  const int64_t begin = partition.part * smaller + std::min(partition.part, larger_parts);
  const int64_t end = begin + smaller + (partition.part < larger_parts ? 1 : 0);
  std::vector<int32_t> classes(order.begin() + begin, order.begin() + end);
  std::sort(classes.begin(), classes.end());
  return classes;
}

std::shared_ptr<const Dataset> RestrictToClasses(std::shared_ptr<const Dataset> whole,
                                                 const std::vector<int32_t>& classes) {
  std::vector<int64_t> indices;
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < whole->size(); ++i) {
    const int32_t label = whole->label(i);
    const auto found = std::lower_bound(classes.begin(), classes.end(), label);
    if (found == classes.end() || *found != label) continue;
    indices.push_back(i);
    labels.push_back(static_cast<int32_t>(found - classes.begin()));
  }
  return std::make_shared<const RelabelledDataset>(std::move(whole), std::move(indices), std::move(labels));
}

}  // namespace modelpatch::data
