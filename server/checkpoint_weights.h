// Work on whole checkpoints: merging a mixture into weights of its own, and measuring how far apart two are.
//
// Blocks for as long as it takes to read blobs and run a pass over the weights. Thread safety: pure functions.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/data/task_source.h"
#include "core/model/clip_model.h"
#include "core/patch/merge_options.h"
#include "core/patch/mixture.h"
#include "core/store/blob_store.h"

namespace modelpatch::server {

// The weights of (model, terms) on the CPU. DATA_LOSS, NOT_FOUND (BLOB_NOT_FOUND), RESOURCE_EXHAUSTED (OUT_OF_MEMORY),
// FAILED_PRECONDITION (WEIGHTS_NOT_FINITE).
absl::StatusOr<tensor::WeightSet> MergeWeights(const model::ClipModel& model, std::span<const patch::MixtureTerm> terms,
                                               const store::BlobStore& blobs);

// The same for what a merging method other than Fisher makes of the terms, in their order. The errors of
// patch::MergeCheckpoints too, with `terms[i].coefficient` or `terms` as the field of a bad coefficient.
absl::StatusOr<tensor::WeightSet> MergeWeightsBy(const patch::MergeOptions& options, const model::ClipModel& model,
                                                 std::span<const patch::MixtureTerm> terms,
                                                 const store::BlobStore& blobs,
                                                 const base::CancellationToken& cancellation);

struct WeightComparison {
  double cosine = 0;
  double mean_absolute_difference = 0;
  // ‖θ₁ − θ₂‖.
  double distance = 0;
  // Between θ₁ − θ_zs and θ₂ − θ_zs; nothing if one of them is zero.
  std::optional<double> task_vector_cosine;
};

absl::StatusOr<WeightComparison> CompareWeightSets(const tensor::WeightSet& zero_shot, const tensor::WeightSet& first,
                                                   const tensor::WeightSet& second);

// See patch::CompareFeatures; the weights are on the CPU.
absl::StatusOr<double> CompareFeatures(const std::shared_ptr<const model::ClipModel>& model,
                                       const tensor::WeightSet& first, const tensor::WeightSet& second,
                                       const std::string& task_name, const data::TaskSource& source,
                                       const base::CancellationToken& cancellation);

}  // namespace modelpatch::server
