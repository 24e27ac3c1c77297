// How alike two sets of weights see a task: linear CKA of their image features.
#pragma once

#include <memory>

#include "core/patch/evaluation.h"

namespace modelpatch::patch {

// Linear CKA (see weight_metrics.h) of the features at `first` and `second` on a sample of the task's validation split
// that has its share of every class: enough images for a stable value, few enough to be quick. The weights are on the
// model's device.
absl::StatusOr<double> CompareFeatures(const std::shared_ptr<const model::ClipModel>& model,
                                       const tensor::WeightSet& first, const tensor::WeightSet& second,
                                       const data::Task& task, int threads,
                                       const base::CancellationToken& cancellation);

}  // namespace modelpatch::patch
