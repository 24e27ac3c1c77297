// EncodeInSlices: the features of one request's images, decoded and run through the batcher a slice at a time.
//
// A request of thousands of images holds the pixels of a few slices only, is decoded by several threads while earlier
// slices run, and never makes a forward larger than a slice.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/base/executor.h"
#include "core/data/image_codec.h"
#include "core/model/clip_model.h"
#include "core/serve/batcher.h"
#include "core/serve/request.h"

namespace modelpatch::serve {

struct ImageForwardOptions {
  // Images decoded and submitted together; at most the batcher's maximum.
  int64_t slice_images = 64;
  // Slices of one request that are decoded or queued at the same time.
  int slices_in_flight = 4;
  data::DecodeLimits decode_limits;
};

struct ImageForwardInput {
  std::shared_ptr<const model::ClipModel> model;
  MixtureWeights weights;
  std::vector<ImageInput> images;
  RequestContext context;
};

struct ImageFeatures {
  // fp32 [images, embedding_width] on the CPU, not normalised; finite.
  std::shared_ptr<const at::Tensor> features;
  Timings timings;
};

// FAILED_PRECONDITION (FEATURES_NOT_FINITE) where the weights have grown too large.
absl::Status CheckFeatures(const at::Tensor& features);

// Returns at once; `done` is called exactly once, on a thread of the executor or the batcher, which both outlive it.
// INVALID_ARGUMENT: NO_IMAGES, and those of an image that cannot be read, with its field `images[i]`;
// CheckFeatures's; the batcher's.
void EncodeInSlices(ImageForwardInput input, const ImageForwardOptions& options, base::Executor& executor,
                    Batcher& batcher, const base::Clock& clock,
                    std::function<void(absl::StatusOr<ImageFeatures>)> done);

}  // namespace modelpatch::serve
