#include "core/train/test_evaluator.h"

#include "core/tensor/guard.h"

namespace modelpatch::train {

TestEvaluator::TestEvaluator(std::shared_ptr<const model::ClipModel> model,
                             const std::vector<patch::EvaluationSet>& sets, model::Precision precision,
                             BlobWeightsReader& weights, const base::CancellationToken& cancellation)
    : model_(std::move(model)),
      sets_(sets),
      features_(patch::DirectFeatures(model_, precision)),
      weights_(weights),
      cancellation_(cancellation),
      scratch_(model_->image_weights.shared_layout(), model_->image_weights.device()) {}

absl::StatusOr<const Predictions*> TestEvaluator::Predict(const std::vector<patch::MixtureTerm>& terms) {
  std::vector<std::pair<std::string, double>> key;
  for (const patch::MixtureTerm& term : terms) key.emplace_back(term.blob, term.coefficient);
  if (const auto found = known_.find(key); found != known_.end()) return &found->second;
  MP_RETURN_IF_ERROR(patch::InterpolateTerms(model_->image_weights, terms, weights_.loader(), scratch_));
  Predictions predictions;
  for (const patch::EvaluationSet& set : sets_) {
    MP_ASSIGN_OR_RETURN(std::vector<int32_t> of_set,
                        patch::EvaluatePredictions(*model_, scratch_, set, features_, cancellation_));
    predictions.push_back(std::move(of_set));
  }
  return &known_.emplace(std::move(key), std::move(predictions)).first->second;
}

std::vector<patch::TaskAccuracy> TestEvaluator::AccuraciesOf(const Predictions& predictions) const {
  std::vector<patch::TaskAccuracy> accuracies;
  for (size_t i = 0; i < sets_.size(); ++i) accuracies.push_back(patch::AccuracyOf(sets_[i], predictions[i]));
  return accuracies;
}

}  // namespace modelpatch::train
