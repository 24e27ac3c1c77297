// What one request asks of the batcher, and what it gets. Plain values.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/base/clock.h"
#include "core/base/status.h"
#include "core/data/image_size.h"
#include "core/model/encoder_weights.h"
#include "core/model/image_encoder.h"

namespace modelpatch::serve {

struct PixelTransfer;

// Background requests run when no interactive one waits. They are never refused: whoever submits them waits for each
// answer before the next, so their number is bounded by the threads that do.
enum class Priority { kInteractive, kBackground };

// How a forward may get at the weights of one mixture: as they are, or as a sum that is mixed within the batch. At
// least one is there.
struct MixtureWeights {
  struct Source {
    std::shared_ptr<const model::EncoderWeights> weights;
    double coefficient;
  };
  // Null if the mixture has not been materialised.
  std::shared_ptr<const model::EncoderWeights> materialised;
  // θ = Σ coefficient · weights; empty if the encoder cannot mix.
  std::vector<Source> sources;
};

struct ForwardRequest {
  std::shared_ptr<const model::ImageEncoder> encoder;
  MixtureWeights weights;
  // fp32 [count, 3, h, w], flattened. Empty once they are on their way to a CUDA device (see pixel_transfer.h).
  std::vector<float> pixels;
  std::shared_ptr<const PixelTransfer> transfer;
  int64_t count = 0;
  data::ImageSize image_size;
  Priority priority = Priority::kInteractive;
  // Who asks: clients are served in turn. Requests without a name are one client's.
  std::string client;
  base::SteadyTime deadline = base::SteadyTime::max();
  base::CancellationToken cancellation;
};

struct ForwardResult {
  // fp32 [count, embedding_width] on the CPU, not normalised.
  std::shared_ptr<const at::Tensor> features;
  double queue_seconds = 0;
  double inference_seconds = 0;
};

using ForwardDone = std::function<void(absl::StatusOr<ForwardResult>)>;

struct WaitingForward {
  ForwardRequest request;
  ForwardDone done;
  base::SteadyTime arrival;
};

}  // namespace modelpatch::serve
