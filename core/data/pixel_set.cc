#include "core/data/pixel_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <numeric>
#include <system_error>
#include <thread>
#include <utility>

#include "core/base/mutex.h"
#include "core/data/resize.h"
#include "core/data/split.h"

namespace modelpatch::data {
namespace {

constexpr int kMaximumSize = 16384;
constexpr uint64_t kSubsetSeed = 0;  // the choice is part of what is reported, so it never varies

size_t BytesPerImage(int image_size) { return 3 * static_cast<size_t>(image_size) * static_cast<size_t>(image_size); }

// The work that the threads share: each takes the next example until there are none or one has failed.
class Preprocessor {
 public:
  Preprocessor(const Dataset& dataset, const std::vector<int64_t>& indices, const base::CancellationToken& cancellation,
               PixelSet& result)
      : dataset_(dataset), indices_(indices), cancellation_(cancellation), result_(result) {}

  void Work() {
    while (!stop_.load(std::memory_order_relaxed)) {
      const int64_t position = next_.fetch_add(1, std::memory_order_relaxed);
      if (position >= result_.count) return;
      absl::Status status = cancellation_.Check();
      if (status.ok()) status = One(position);
      if (!status.ok()) Fail(position, std::move(status));
    }
  }

  absl::Status status() const {
    base::MutexLock lock(mutex_);
    return status_;
  }

 private:
  absl::Status One(int64_t position) try {
    const int64_t index = indices_[static_cast<size_t>(position)];
    auto image = dataset_.image(index);
    if (!image.ok()) return base::WithContext(image.status(), fmt::format("example {}", index));
    const RgbImage ready = ResizeShorterSideAndCrop(*image, result_.image_size);
    const size_t bytes = BytesPerImage(result_.image_size);
    std::copy(ready.pixels.begin(), ready.pixels.end(),
              result_.pixels.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(position) * bytes));
    result_.labels[static_cast<size_t>(position)] = dataset_.label(index);
    return absl::OkStatus();
  } catch (const std::bad_alloc&) {
    return base::ResourceExhausted("OUT_OF_MEMORY", "no memory to preprocess an image");
  }

  // Keeps the error of the lowest position. Positions are taken in order, so every lower one was taken already and will
  // be worked to its end: the result does not depend on the threads' pace.
  void Fail(int64_t position, absl::Status status) {
    stop_.store(true, std::memory_order_relaxed);
    base::MutexLock lock(mutex_);
    if (!status_.ok() && position > failed_position_) return;
    failed_position_ = position;
    status_ = std::move(status);
  }

  const Dataset& dataset_;
  const std::vector<int64_t>& indices_;
  const base::CancellationToken& cancellation_;
  PixelSet& result_;  // each position is written by the one thread that took it
  std::atomic<int64_t> next_{0};
  std::atomic<bool> stop_{false};

  mutable base::Mutex mutex_;
  absl::Status status_ MP_GUARDED_BY(mutex_);
  int64_t failed_position_ MP_GUARDED_BY(mutex_) = 0;
};

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
  if (config.image_size < 1 || config.image_size > kMaximumSize) {
    return base::InvalidArgument("BAD_IMAGE_SIZE", fmt::format("the image size is {}; it must be from 1 to {}",
                                                               config.image_size, kMaximumSize));
  }
  std::vector<int64_t> indices;
  PixelSet result;
  try {
    if (maximum_examples > 0 && maximum_examples < dataset.size()) {
      indices = StratifiedSubset(LabelsOf(dataset), maximum_examples, kSubsetSeed);
    } else {
      indices.resize(static_cast<size_t>(dataset.size()));
      std::iota(indices.begin(), indices.end(), int64_t{0});
    }
    result.count = static_cast<int64_t>(indices.size());
    result.image_size = config.image_size;
    result.labels.resize(indices.size());
    if (indices.size() > result.pixels.max_size() / BytesPerImage(config.image_size)) throw std::bad_alloc();
    result.pixels.resize(indices.size() * BytesPerImage(config.image_size));
  } catch (const std::bad_alloc&) {
    return base::ResourceExhausted("OUT_OF_MEMORY", fmt::format("no memory for {} images of {} x {} pixels",
                                                                dataset.size(), config.image_size, config.image_size));
  }
  Preprocessor preprocessor(dataset, indices, cancellation, result);
  std::vector<std::jthread> helpers;
  try {
    for (int i = 1; i < threads; ++i) helpers.emplace_back([&preprocessor] { preprocessor.Work(); });
  } catch (const std::system_error&) {
    // No more threads are to be had: those that there are do the work.
  }
  preprocessor.Work();
  helpers.clear();  // joins
  MP_RETURN_IF_ERROR(preprocessor.status());
  return result;
}

}  // namespace modelpatch::data
