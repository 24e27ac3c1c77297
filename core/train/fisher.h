// The diagonal of the Fisher information of a classifier's own predictions: how much each weight matters to them.
//
// F = mean over examples x of E_{y ~ p(y|x, θ)} (∂ log p(y|x, θ) / ∂θ)², with y drawn once for each example from what
// the model predicts. Drawing it from the data's labels instead would give the "empirical Fisher", another matrix.
// Sources: Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting in neural networks", section 2.1; Kunstner et
// al. 2019, "Limitations of the empirical Fisher approximation for natural gradient descent", section 2.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/cancellation.h"
#include "core/data/dataset.h"
#include "core/model/clip_model.h"
#include "core/model/precision.h"
#include "core/tensor/weight_set.h"

namespace modelpatch::train {

// The logits [1, C] of example `index`, with −∞ for the classes that it is not told apart from, as a function of
// `leaves`, which lie as the weight set.
using ExampleLogits = std::function<absl::StatusOr<at::Tensor>(int64_t index, const std::vector<at::Tensor>& leaves)>;

// F at `weights`, laid out as they; 0 for buffers. One backward pass an example. The labels are a function of (seed,
// "fisher label", 0, index). `weights` are read only; `examples` is at least 1. FAILED_PRECONDITION (TRAINING_DIVERGED)
// if F is not finite; CANCELLED between examples; errors of `logits`.
absl::StatusOr<tensor::WeightSet> EstimateFisher(const tensor::WeightSet& weights, const ExampleLogits& logits,
                                                 int64_t examples, uint64_t seed,
                                                 const base::CancellationToken& cancellation);

struct FisherOptions {
  // As many as there are, if they are fewer.
  int64_t examples = 1000;
  uint64_t seed = 0;
  model::Precision precision = model::Precision::kFloat32;
};

// F of `model` with the image weights `weights` under `head`, on examples of `dataset` (at least one) that the seed
// chooses, under the evaluation transform. BatchNorms take their running statistics. Errors: also those of BatchLoader.
absl::StatusOr<tensor::WeightSet> EstimateTaskFisher(const model::ClipModel& model, const tensor::WeightSet& weights,
                                                     const model::ZeroShotHead& head,
                                                     std::shared_ptr<const data::Dataset> dataset,
                                                     const FisherOptions& options,
                                                     const base::CancellationToken& cancellation);

}  // namespace modelpatch::train
