// The forward of a batch, plain or mixed, and what forwards cost. Torch is here, so that the batcher needs none.
//
// Thread safety: pure, apart from using libtorch's threads. Exceptions of libtorch become a status.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/base/clock.h"
#include "core/base/status.h"
#include "core/serve/batch_plan.h"
#include "core/serve/forward_request.h"

namespace modelpatch::serve {

// Sends the pixels of a request on their way, if its weights are on a CUDA device: called when it is submitted, so that
// they are copied while it waits.
absl::Status SendPixels(ForwardRequest& request);

// fp32 [images, embedding_width] on the CPU: the features of all requests' images, request by request. They have one
// encoder and image size; without `is_mixed` one materialised mixture, with it sources.
absl::StatusOr<std::shared_ptr<const at::Tensor>> RunForward(std::span<const WaitingForward> batch, bool is_mixed);

// The rows of one request.
std::shared_ptr<const at::Tensor> RowsOf(const at::Tensor& features, int64_t first, int64_t count);

// Times a few forwards of a request's encoder with its sources; of an encoder that takes long, one.
absl::StatusOr<ForwardCosts> MeasureCosts(const ForwardRequest& request, const base::Clock& clock);

}  // namespace modelpatch::serve
