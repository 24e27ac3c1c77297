// A per-image α from how sure both ends of a mixture are of themselves. Experimental.
//
// Each image is run at θ_zs and at the mixture; the end whose prediction has the lower entropy is the better expert,
// and the image is answered at α = exp(−H_end) / (exp(−H_start) + exp(−H_end)) of the way to the mixture. Source: Oh et
// al. 2024, "DaWin: Training-free Dynamic Weight Interpolation for Robust Adaptation", section 3. The images of a
// request share one mixed forward, however many α they have.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/base/executor.h"
#include "core/data/image_codec.h"
#include "core/serve/batcher.h"
#include "core/serve/image_forward.h"
#include "core/serve/request.h"
#include "core/serve/resource_caches.h"

namespace modelpatch::serve {

// Of the softmax over each row of logits [B, C], in nats: [B].
std::vector<double> Entropies(const at::Tensor& logits);

// In [0, 1]: one half where both are equally sure.
double AutoAlpha(double start_entropy, double end_entropy);

struct AutoFeatures {
  ImageFeatures forward;
  // Per image, between θ_zs and the mixture.
  std::vector<double> alphas;
};

struct AutoForwardInput {
  // With a head; the weights are those of the far end.
  Resources end;
  // θ_zs.
  MixtureWeights start;
  // At most a batch of them.
  std::vector<ImageInput> images;
  RequestContext context;
  data::DecodeLimits decode_limits;
};

// Returns at once; `done` is called exactly once, on a thread of the executor or the batcher, which both outlive it.
// Errors of EncodeInSlices. Both weights have sources.
void EncodeAtAutoAlpha(AutoForwardInput input, base::Executor& executor, Batcher& batcher, const base::Clock& clock,
                       std::function<void(absl::StatusOr<AutoFeatures>)> done);

}  // namespace modelpatch::serve
