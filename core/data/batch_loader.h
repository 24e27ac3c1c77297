// BatchLoader: training batches, made ahead of time by threads, in the order of their steps.
//
// Batch s is a pure function of (dataset, config, seed, s): neither the number of threads, nor the prefetch, nor where
// the run began changes a bit, so a run resumed with `first_step` = s is the run itself. Every batch is full. Example p
// of batch s is the (s · batch_size + p)-th of an endless sequence of epochs, so a batch may end one epoch and begin
// the next (the reference ends each epoch with a short batch instead; its paper counts steps of full batches). The
// order of epoch e comes from (seed, "shuffle", e), the crop from (seed, "augmentation", s, p). Thread safety: Next
// from one thread at a time; it may be another one each time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "core/base/mutex.h"
#include "core/base/status.h"
#include "core/data/dataset.h"
#include "core/data/preprocess.h"

namespace modelpatch::data {

struct BatchLoaderOptions {
  int64_t batch_size = 128;
  uint64_t seed = 0;
  // A random resized crop (augmentation.h); otherwise the evaluation transform.
  bool augment = true;
  // A new random order each epoch; otherwise the dataset's order, over and over.
  bool shuffle = true;
  int64_t first_step = 0;
  // Threads that make batches, each a whole one. Less than 1 is 1.
  int threads = 1;
  // Batches that may be ready or in the making before they are asked for; costs that many times a batch's memory. Less
  // than `threads` is `threads`.
  int prefetch = 4;
};

struct Batch {
  int64_t step = 0;
  int64_t count = 0;            // B, the batch size
  std::vector<float> pixels;    // [B, 3, h, w], normalised
  std::vector<int32_t> labels;  // [B]
  // [B]: Dataset::candidates of each; empty if all examples have all classes.
  std::vector<std::vector<int32_t>> candidates;
};

class BatchLoader {
 public:
  // Starts the threads. Whatever is wrong with the arguments is what Next returns.
  BatchLoader(std::shared_ptr<const Dataset> dataset, const PreprocessConfig& config,
              const BatchLoaderOptions& options);
  // Drops what was prefetched; waits for batches in the making.
  ~BatchLoader();
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;

  // The batches first_step, first_step + 1, …, without end. Waits until the batch is ready.
  // Errors: INVALID_ARGUMENT BAD_BATCH_OPTIONS, BAD_IMAGE_SIZE, DATASET_EMPTY; the dataset's for an image that cannot
  // be read, with its index; RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_THREAD). After an error every call returns it again.
  absl::StatusOr<Batch> Next();

 private:
  class Maker;

  void Work();

  const std::shared_ptr<const Dataset> dataset_;
  const PreprocessConfig config_;
  const BatchLoaderOptions options_;
  const int64_t window_;

  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ MP_GUARDED_BY(mutex_) = false;
  absl::Status error_ MP_GUARDED_BY(mutex_);
  int64_t next_to_make_ MP_GUARDED_BY(mutex_);
  int64_t next_to_take_ MP_GUARDED_BY(mutex_);
  std::map<int64_t, absl::StatusOr<Batch>> ready_ MP_GUARDED_BY(mutex_);  // by step

  std::vector<std::thread> threads_;
};

}  // namespace modelpatch::data
