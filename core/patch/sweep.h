// Sweep: the accuracies along the line between two mixtures.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/patch/evaluation.h"
#include "core/patch/interpolation.h"
#include "core/patch/mixture.h"

namespace modelpatch::patch {

struct SweepPoint {
  double alpha;
  std::vector<MixtureTerm> terms;
  std::vector<TaskAccuracy> accuracies;
};

struct SweepInput {
  std::shared_ptr<const model::ClipModel> model;
  // α = 0 is start, α = 1 is end.
  std::vector<MixtureTerm> start;
  std::vector<MixtureTerm> end;
  std::vector<double> alphas;
  std::span<const EvaluationSet> sets;
};

// INVALID_ARGUMENT (BAD_ALPHA) unless there are 1 to 1001 α, finite and in [0, 1] (any finite α with
// `allow_extrapolation`).
absl::Status CheckAlphas(std::span<const double> alphas, bool allow_extrapolation);

// Calls `on_point` for every α, in the order given, as soon as it is known; an error of `on_point` ends the sweep.
// The weights are interpolated into one scratch buffer; `load_blob` gives the checkpoints' weights (asked once each).
absl::StatusOr<std::vector<SweepPoint>> RunSweep(const SweepInput& input, const BlobLoader& load_blob,
                                                 const FeatureFunction& features,
                                                 const base::CancellationToken& cancellation,
                                                 const std::function<absl::Status(const SweepPoint&)>& on_point);

}  // namespace modelpatch::patch
