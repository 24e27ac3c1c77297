// Stands in for libtorch's side of the batcher (core/serve/batch_forward.cc), so that its concurrency can be tested
// under ThreadSanitizer, which Debian's libtorch is not instrumented for. A forward here takes a moment and gives no
// features.
#include <new>
#include <thread>

#include "core/model/encoder_weights.h"
#include "core/serve/batch_forward.h"
#include "core/tensor/guard.h"

namespace modelpatch {

// Requests of the test have no weights; whatever asks for their name is never reached.
const void* model::EncoderWeights::id() const { return this; }

// Of what is no exception of libtorch's.
absl::Status tensor::StatusOfCurrentException() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return base::ResourceExhausted("OUT_OF_MEMORY", "there is no memory left");
  } catch (...) {
    return base::Internal("TORCH_ERROR", "an exception");
  }
}

namespace serve {
namespace {

// An address for a tensor that nobody reads.
char nothing;

}  // namespace

absl::Status SendPixels(ForwardRequest& /*request*/) { return absl::OkStatus(); }

absl::StatusOr<std::shared_ptr<const at::Tensor>> RunForward(std::span<const WaitingForward> /*batch*/,
                                                             bool /*is_mixed*/) {
  std::this_thread::yield();
  return std::shared_ptr<const at::Tensor>(std::shared_ptr<void>(), reinterpret_cast<const at::Tensor*>(&nothing));
}

std::shared_ptr<const at::Tensor> RowsOf(const at::Tensor& features, int64_t /*first*/, int64_t /*count*/) {
  return {std::shared_ptr<void>(), &features};
}

absl::StatusOr<ForwardCosts> MeasureCosts(const ForwardRequest& /*request*/, const base::Clock& /*clock*/) {
  return ForwardCosts{};
}

}  // namespace serve
}  // namespace modelpatch
