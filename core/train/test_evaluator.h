// TestEvaluator: predictions of mixtures on the test data of a job's tasks, each mixture once.
//
// One thread. The model, the sets and the reader outlive it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/cancellation.h"
#include "core/model/precision.h"
#include "core/patch/evaluation.h"
#include "core/train/step_inputs.h"

namespace modelpatch::train {

// Of each set, in their order, the predicted class of each example.
using Predictions = std::vector<std::vector<int32_t>>;

class TestEvaluator {
 public:
  // Throws what libtorch throws: call inside Guarded.
  TestEvaluator(std::shared_ptr<const model::ClipModel> model, const std::vector<patch::EvaluationSet>& sets,
                model::Precision precision, BlobWeightsReader& weights, const base::CancellationToken& cancellation);

  // Of the mixture of canonical terms. The reference stays good.
  absl::StatusOr<const Predictions*> Predict(const std::vector<patch::MixtureTerm>& terms);

  std::vector<patch::TaskAccuracy> AccuraciesOf(const Predictions& predictions) const;

 private:
  const std::shared_ptr<const model::ClipModel> model_;
  const std::vector<patch::EvaluationSet>& sets_;
  const patch::FeatureFunction features_;
  BlobWeightsReader& weights_;
  const base::CancellationToken& cancellation_;
  const tensor::WeightSet scratch_;
  std::map<std::vector<std::pair<std::string, double>>, Predictions> known_;
};

}  // namespace modelpatch::train
