#include "core/data/batch_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

#include "core/base/random.h"
#include "core/data/augmentation.h"
#include "core/data/resize.h"

namespace modelpatch::data {
namespace {

constexpr int64_t kMaximumBatch = 1 << 20;

absl::Status CheckArguments(const Dataset* dataset, const PreprocessConfig& config, const BatchLoaderOptions& options) {
  if (options.batch_size < 1 || options.batch_size > kMaximumBatch) {
    return base::InvalidArgument("BAD_BATCH_OPTIONS", fmt::format("the batch size is {}; it must be from 1 to {}",
                                                                  options.batch_size, kMaximumBatch));
  }
  // The bound keeps step · batch_size within 64 bits.
  if (options.first_step < 0 || options.first_step > INT64_MAX / 2 / options.batch_size) {
    return base::InvalidArgument("BAD_BATCH_OPTIONS",
                                 fmt::format("the first step is {}; it must not be negative, nor beyond {}",
                                             options.first_step, INT64_MAX / 2 / options.batch_size));
  }
  MP_RETURN_IF_ERROR(CheckModelImageSize(config.image_size));
  if (dataset == nullptr || dataset->size() == 0) {
    return base::InvalidArgument("DATASET_EMPTY", "there are no examples to make batches of");
  }
  return absl::OkStatus();
}

}  // namespace

// Makes batches; each thread has its own, which remembers the order of the epoch that it is in.
class BatchLoader::Maker {
 public:
  Maker(const Dataset& dataset, const PreprocessConfig& config, const BatchLoaderOptions& options)
      : dataset_(dataset), config_(config), options_(options), size_(dataset.size()) {}

  absl::StatusOr<Batch> Make(int64_t step) try {
    const auto values = 3 * static_cast<size_t>(config_.image_size.pixels());
    Batch batch;
    batch.step = step;
    batch.count = options_.batch_size;
    batch.labels.resize(static_cast<size_t>(batch.count));
    batch.pixels.resize(static_cast<size_t>(batch.count) * values);
    for (int64_t position = 0; position < batch.count; ++position) {
      const int64_t index = IndexAt(step * options_.batch_size + position);
      auto image = dataset_.image(index);
      if (!image.ok()) return base::WithContext(image.status(), fmt::format("example {}", index));
      const RgbImage ready = Transform(*image, step, position);
      NormalizeToPlanar(ready.pixels.data(), config_, batch.pixels.data() + static_cast<size_t>(position) * values);
      batch.labels[static_cast<size_t>(position)] = dataset_.label(index);
      if (std::vector<int32_t> candidates = dataset_.candidates(index); !candidates.empty()) {
        batch.candidates.resize(static_cast<size_t>(batch.count));
        batch.candidates[static_cast<size_t>(position)] = std::move(candidates);
      }
    }
    return batch;
  } catch (const std::bad_alloc&) {
    return base::ResourceExhausted("OUT_OF_MEMORY", fmt::format("no memory for a batch of {} images of {}",
                                                                options_.batch_size, Describe(config_.image_size)));
  }

 private:
  // The example at this place of the endless sequence of epochs.
  int64_t IndexAt(int64_t place) {
    if (!options_.shuffle) return place % size_;
    if (const int64_t epoch = place / size_; epoch != epoch_) {
      order_ = base::RandomStream(options_.seed, "shuffle", static_cast<uint64_t>(epoch)).Permutation(size_);
      epoch_ = epoch;
    }
    return order_[static_cast<size_t>(place % size_)];
  }

  RgbImage Transform(const RgbImage& image, int64_t step, int64_t position) const {
    if (!options_.augment) return ResizeForModel(image, config_);
    base::RandomStream random(options_.seed, "augmentation", static_cast<uint64_t>(step),
                              static_cast<uint64_t>(position));
    // OpenCLIP's training transform is bicubic, whatever its evaluation transform is.
    return CropThenResize(image, DrawRandomCrop(image.width, image.height, {}, random), config_.image_size,
                          ResizeFilter::kBicubic);
  }

  const Dataset& dataset_;
  const PreprocessConfig& config_;
  const BatchLoaderOptions& options_;
  const int64_t size_;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;
};

BatchLoader::BatchLoader(std::shared_ptr<const Dataset> dataset, const PreprocessConfig& config,
                         const BatchLoaderOptions& options)
    : dataset_(std::move(dataset)),
      config_(config),
      options_(options),
      window_(std::max({1, options.threads, options.prefetch})),
      error_(CheckArguments(dataset_.get(), config_, options_)),
      next_to_make_(options.first_step),
      next_to_take_(options.first_step) {
  if (!error_.ok()) return;
  try {
    for (int i = 0; i < std::max(1, options_.threads); ++i) threads_.emplace_back([this] { Work(); });
  } catch (const std::system_error& failure) {
    // Fewer threads make the same batches.
    if (threads_.empty()) {
      error_ = base::ResourceExhausted("NO_THREAD", fmt::format("no thread could be started: {}", failure.what()));
    }
  }
}

BatchLoader::~BatchLoader() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

void BatchLoader::Work() {
  Maker maker(*dataset_, config_, options_);
  while (true) {
    int64_t step = 0;
    {
      base::MutexLock lock(mutex_);
      while (!stopping_ && next_to_make_ >= next_to_take_ + window_) changed_.Wait(mutex_);
      if (stopping_) return;
      step = next_to_make_++;
    }
    absl::StatusOr<Batch> batch = maker.Make(step);
    const bool failed = !batch.ok();
    {
      base::MutexLock lock(mutex_);
      ready_.emplace(step, std::move(batch));
    }
    changed_.NotifyAll();
    if (failed) return;  // the steps before this one were all taken by some thread already
  }
}

absl::StatusOr<Batch> BatchLoader::Next() {
  base::MutexLock lock(mutex_);
  if (!error_.ok()) return error_;
  auto found = ready_.find(next_to_take_);
  while (found == ready_.end()) {
    changed_.Wait(mutex_);
    found = ready_.find(next_to_take_);
  }
  absl::StatusOr<Batch> batch = std::move(found->second);
  ready_.erase(found);
  if (batch.ok()) {
    ++next_to_take_;
    changed_.NotifyAll();
  } else {
    error_ = batch.status();
  }
  return batch;
}

}  // namespace modelpatch::data
