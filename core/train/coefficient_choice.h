// Which mixture a search chooses, on validation data: one α along a line, or a coefficient for each checkpoint.
//
// One thread; blocks it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/patch/evaluation.h"
#include "core/train/step_inputs.h"
#include "core/train/step_result.h"
#include "core/train/step_spec.h"

namespace modelpatch::train {

struct ChoiceInput {
  const SearchSpec& spec;
  std::shared_ptr<const model::ClipModel> model;
  // Of the tasks in the spec, patching tasks first.
  const std::vector<patch::EvaluationSet>& validation;
  // Where a line begins; empty for θ_zs.
  std::vector<patch::MixtureTerm> start;
  // What is mixed; one for a line.
  std::vector<std::string> blobs;
  BlobWeightsReader& weights;
  // Keeps weights that a choice made: the blob's digest.
  std::function<absl::StatusOr<std::string>(const tensor::WeightSet& merged)> keep;
  // Is told each point of the curve, and how many of about how many evaluations are done.
  std::function<void(const CurvePoint& point)> on_point;
  std::function<void(int64_t done, int64_t total)> on_progress;
  const base::CancellationToken& cancellation;
};

// What of a SearchResult the choice is: terms, α, blobs, merged blob, curve and totals (but for the seconds).
// CANCELLED; the errors of patch::RunSweep and patch::SearchCoefficients.
absl::StatusOr<SearchResult> ChooseCoefficients(const ChoiceInput& input);

}  // namespace modelpatch::train
