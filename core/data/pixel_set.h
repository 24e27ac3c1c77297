// PixelSet: the examples of a split after the evaluation transform, ready to be normalised into batches.
//
// Evaluation looks at the same pixels for every α, so decoding, resizing and cropping are done once and kept as uint8.
// A plain value; thread-safe to read.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/cancellation.h"
#include "core/base/status.h"
#include "core/data/dataset.h"
#include "core/data/preprocess.h"

namespace modelpatch::data {

struct PixelSet {
  int64_t count = 0;
  ImageSize image_size;         // h x w
  std::vector<uint8_t> pixels;  // [count, h, w, 3]
  std::vector<int32_t> labels;  // [count]
  // [count]: Dataset::candidates of each; empty if all examples have all classes.
  std::vector<std::vector<int32_t>> candidates;

  // Writes the examples [begin, end), normalised with config.mean and config.std, to `out`: float [end - begin, 3, h,
  // w]. config.image_size must be image_size.
  void Normalize(int64_t begin, int64_t end, const PreprocessConfig& config, float* out) const;
};

// The examples of `dataset`, in its order, at config.image_size; with `maximum_examples` > 0 and less than there are, a
// stratified choice of that many (see StrataOf), always the same. `threads` (at least one is used) does not change the
// result. Errors: the first failing example's, with its index; CANCELLED; RESOURCE_EXHAUSTED (OUT_OF_MEMORY);
// INVALID_ARGUMENT (BAD_IMAGE_SIZE): see CheckModelImageSize.
absl::StatusOr<PixelSet> PreprocessDataset(const Dataset& dataset, const PreprocessConfig& config, int threads,
                                           const base::CancellationToken& cancellation, int64_t maximum_examples = 0);

}  // namespace modelpatch::data
