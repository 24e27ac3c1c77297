#include "core/data/pixel_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <numeric>
#include <utility>

#include "core/data/example_loop.h"
#include "core/data/split.h"

namespace modelpatch::data {
namespace {

constexpr uint64_t kSubsetSeed = 0;  // the choice is part of what is reported, so it never varies

size_t BytesPerImage(ImageSize image_size) { return 3 * static_cast<size_t>(image_size.pixels()); }

// Example `index` of `dataset` becomes the one at `position` of `result`.
absl::Status PreprocessOne(const Dataset& dataset, const PreprocessConfig& config, int64_t index, int64_t position,
                           PixelSet& result) {
  auto image = dataset.image(index);
  if (!image.ok()) return base::WithContext(image.status(), fmt::format("example {}", index));
  const RgbImage ready = ResizeForModel(*image, config);
  const size_t bytes = BytesPerImage(result.image_size);
  std::copy(ready.pixels.begin(), ready.pixels.end(),
            result.pixels.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(position) * bytes));
  result.labels[static_cast<size_t>(position)] = dataset.label(index);
  result.candidates[static_cast<size_t>(position)] = dataset.candidates(index);
  return absl::OkStatus();
}

}  // namespace

void PixelSet::Normalize(int64_t begin, int64_t end, const PreprocessConfig& config, float* out) const {
  const size_t values = BytesPerImage(image_size);
  for (int64_t i = begin; i < end; ++i) {
    NormalizeToPlanar(pixels.data() + static_cast<size_t>(i) * values, config,
                      out + static_cast<size_t>(i - begin) * values);
  }
}

absl::StatusOr<PixelSet> PreprocessDataset(const Dataset& dataset, const PreprocessConfig& config, int threads,
                                           const base::CancellationToken& cancellation, int64_t maximum_examples) {
  MP_RETURN_IF_ERROR(CheckModelImageSize(config.image_size));
  std::vector<int64_t> indices;
  PixelSet result;
  try {
    if (maximum_examples > 0 && maximum_examples < dataset.size()) {
      indices = StratifiedSubset(StrataOf(dataset), maximum_examples, kSubsetSeed);
    } else {
      indices.resize(static_cast<size_t>(dataset.size()));
      std::iota(indices.begin(), indices.end(), int64_t{0});
    }
    result.count = static_cast<int64_t>(indices.size());
    result.image_size = config.image_size;
    result.labels.resize(indices.size());
    result.candidates.resize(indices.size());
    if (indices.size() > result.pixels.max_size() / BytesPerImage(config.image_size)) throw std::bad_alloc();
    result.pixels.resize(indices.size() * BytesPerImage(config.image_size));
  } catch (const std::bad_alloc&) {
    return base::ResourceExhausted(
        "OUT_OF_MEMORY", fmt::format("no memory for {} images of {}", dataset.size(), Describe(config.image_size)));
  }
  MP_RETURN_IF_ERROR(ForEachExample(result.count, threads, cancellation, [&](int64_t position) {
    return PreprocessOne(dataset, config, indices[static_cast<size_t>(position)], position, result);
  }));
  if (std::all_of(result.candidates.begin(), result.candidates.end(), [](const auto& own) { return own.empty(); })) {
    result.candidates.clear();
  }
  return result;
}

}  // namespace modelpatch::data
