// Batcher: runs image-encoder forwards for many requests at once.
//
// Requests with the same weights that wait at the same time share a batch. While one batch runs, the next one gathers;
// an idle batcher starts at once, so a lone request never waits. Thread safety: thread-safe. Owns one compute thread;
// its destructor finishes what is queued with CANCELLED and joins.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/cancellation.h"
#include "core/base/clock.h"
#include "core/base/metrics.h"
#include "core/data/image_size.h"
#include "core/model/encoder_weights.h"
#include "core/model/image_encoder.h"

namespace modelpatch::serve {

// Background requests run when no interactive one waits. They are never refused: whoever submits them waits for each
// answer before the next, so their number is bounded by the threads that do.
enum class Priority { kInteractive, kBackground };

struct BatcherOptions {
  // Images in one forward.
  int64_t maximum_batch = 64;
  // Images of interactive requests waiting; beyond it a request is refused with RESOURCE_EXHAUSTED (QUEUE_FULL).
  int64_t maximum_queued_images = 4096;
};

struct ForwardRequest {
  std::shared_ptr<const model::ImageEncoder> encoder;
  std::shared_ptr<const model::EncoderWeights> weights;
  // fp32 [count, 3, h, w], flattened.
  std::vector<float> pixels;
  int64_t count = 0;
  data::ImageSize image_size;
  Priority priority = Priority::kInteractive;
  base::SteadyTime deadline = base::SteadyTime::max();
  base::CancellationToken cancellation;
};

struct ForwardResult {
  // fp32 [count, embedding_width] on the CPU, not normalised.
  std::shared_ptr<const at::Tensor> features;
  double queue_seconds = 0;
  double inference_seconds = 0;
};

class Batcher {
 public:
  using Done = std::function<void(absl::StatusOr<ForwardResult>)>;

  Batcher(const BatcherOptions& options, const base::Clock& clock, base::MetricRegistry& metrics);
  ~Batcher();

  // `done` is called once, on the compute thread (or in this call, if the request is refused).
  void Submit(ForwardRequest request, Done done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace modelpatch::serve
