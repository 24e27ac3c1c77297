// What a job's result is compared with, on test data, which is never used for choosing; and what its weights and
// features say. One thread; blocks it.
#pragma once

#include <memory>
#include <vector>

#include "core/base/cancellation.h"
#include "core/train/step_inputs.h"
#include "core/train/step_result.h"
#include "core/train/step_spec.h"

namespace modelpatch::train {

struct FinalEvaluationInput {
  const SearchSpec& spec;
  std::shared_ptr<const model::ClipModel> model;
  const std::vector<OpenedTask>& tasks;
  // Of spec.fine_tune_directories.
  const std::vector<FineTuneResult>& fine_tuned;
  // The checkpoints that a search or a merge began with, before it made one of its own.
  const std::vector<std::string>& mixed_blobs;
  BlobWeightsReader& weights;
  int threads = 1;
  const base::CancellationToken& cancellation;
};

// Fills in the comparisons, the details of each task and the measures of `result`, whose mixture and curve are there.
absl::Status EvaluateFinally(const FinalEvaluationInput& input, SearchResult& result);

}  // namespace modelpatch::train
