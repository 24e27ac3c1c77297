// Which of the requests that wait run together, and whether as one mixture or mixed within the batch.
//
// Requests of one materialised mixture share a plain forward. Requests of different mixtures can share a mixed one,
// where an image costs one product for each source of its mixture. What is cheaper depends on the model, the machine
// and how many images stand behind each mixture: PlanBatch compares the two by costs that were measured. Torch-free.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/data/image_size.h"

namespace modelpatch::serve {

// In seconds. The defaults stand for a model that has not been measured: so slow that mixing is never worth it.
struct ForwardCosts {
  double plain_fixed = 0.5;    // of a forward
  double plain_image = 1;      // of each image in it
  double mixed_fixed = 1;      // of a mixed forward
  double mixed_product = 1.1;  // of each image in it, for each source of its mixture
};

// What a waiting request means to the plan.
struct BatchCandidate {
  const void* encoder;
  data::ImageSize image_size;
  // Equal for equal weights; null if they were not materialised.
  const void* weights;
  // How many weights its mixture sums; 0 if it cannot be mixed within a batch.
  size_t sources;
  int64_t images;
};

struct BatchPlan {
  // Positions, the leader's first.
  std::vector<size_t> chosen;
  bool is_mixed = false;
};

// The batch of the first candidate, the leader, with whatever it is best run with, of at most `maximum_batch` images
// (or the leader's own). `candidates` are in the order in which they should be served; at least one.
BatchPlan PlanBatch(std::span<const BatchCandidate> candidates, const ForwardCosts& costs, int64_t maximum_batch);

}  // namespace modelpatch::serve
