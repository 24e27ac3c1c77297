// Class partitions: some of the classes of a data set, so that a model can be patched on some and evaluated on others.
//
// The classes are shuffled by (seed, "class partition"), cut into runs whose sizes differ by at most one, the larger
// ones first, and each run is put back into the order of the labels. So the parts of one partition are disjoint and
// together the whole. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/data/dataset.h"

namespace modelpatch::data {

struct ClassPartition {
  int64_t parts = 0;  // 0: no partition, all classes
  int64_t part = 0;
  uint64_t seed = 0;
};

// INVALID_ARGUMENT (BAD_CLASS_PARTITION; field `partition_parts` or `partition_part`) for fewer than 2 parts, a part
// that is not in [0, parts), and more parts than classes, where their number is known (> 0).
absl::Status CheckClassPartition(const ClassPartition& partition, int64_t class_count);

// The classes of the part, ascending, in [0, class_count). Errors: those of CheckClassPartition.
absl::StatusOr<std::vector<int32_t>> ClassesOfPart(const ClassPartition& partition, int64_t class_count);

// The examples of `whole` whose labels are among `classes` (ascending), in their order, each labelled with its class's
// place there. For datasets without candidates.
std::shared_ptr<const Dataset> RestrictToClasses(std::shared_ptr<const Dataset> whole,
                                                 const std::vector<int32_t>& classes);

}  // namespace modelpatch::data
