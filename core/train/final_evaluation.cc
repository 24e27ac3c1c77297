#include "core/train/final_evaluation.h"

#include <optional>
#include <utility>

#include "core/patch/feature_similarity.h"
#include "core/patch/weight_metrics.h"
#include "core/tensor/guard.h"
#include "core/train/test_evaluator.h"

namespace modelpatch::train {
namespace {

using Terms = std::vector<patch::MixtureTerm>;

// Of the bootstrap, so that a report is the same each time.
constexpr uint64_t kBootstrapSeed = 0;
constexpr size_t kMaximumReportedClasses = 1000;

Terms WholeCheckpoint(const std::string& blob) { return {{blob, 1.0}}; }

Terms AverageOf(const std::vector<std::string>& blobs) {
  Terms terms;
  for (const std::string& blob : blobs) terms.push_back({blob, 1.0 / static_cast<double>(blobs.size())});
  return patch::CanonicalTerms(terms);
}

// The weights that a job compares, found in the results of its steps.
struct ComparedSets {
  std::vector<ComparedWeights> weights;
  // Of the specialised models, in the order of the patching tasks; empty if there are none.
  std::vector<Terms> specialised;
  // The end of the training, where there is one for all tasks.
  std::optional<Terms> fine_tuned;
};

void AddSnapshots(const std::vector<FineTuneResult>& fine_tuned, ComparedSets& sets) {
  for (const FineTuneResult& result : fine_tuned) {
    for (const Snapshot& snapshot : result.snapshots) {
      sets.weights.push_back({ComparisonKind::kSnapshot, WholeCheckpoint(snapshot.blob), 0, snapshot.step, {}});
    }
    if (!result.average_blob.empty()) {
      sets.weights.push_back({ComparisonKind::kMovingAverage, WholeCheckpoint(result.average_blob), 0, 0, {}});
    }
  }
}

absl::Status AddSequence(const ComparisonSpec& spec, const Terms& patched, ComparedSets& sets) {
  int64_t after = 0;
  for (const std::string& directory : spec.patched_so_far_directories) {
    MP_ASSIGN_OR_RETURN(const SearchResult earlier, ReadSearchResult(directory));
    sets.weights.push_back({ComparisonKind::kPatchedSoFar, earlier.terms, ++after, 0, {}});
  }
  if (after > 0) sets.weights.push_back({ComparisonKind::kPatchedSoFar, patched, ++after, 0, {}});
  after = 0;
  for (const std::string& directory : spec.fine_tuned_so_far_directories) {
    MP_ASSIGN_OR_RETURN(const FineTuneResult earlier, ReadFineTuneResult(directory));
    sets.weights.push_back({ComparisonKind::kFineTunedSoFar, WholeCheckpoint(earlier.blob), ++after, 0, {}});
    sets.fine_tuned = WholeCheckpoint(earlier.blob);
  }
  return absl::OkStatus();
}

absl::StatusOr<ComparedSets> FindCompared(const FinalEvaluationInput& input, const SearchResult& result) {
  const ComparisonSpec& spec = *input.spec.comparison;
  ComparedSets sets;
  sets.weights.push_back({ComparisonKind::kUnpatched, {}, 0, 0, {}});
  sets.weights.push_back({ComparisonKind::kPatched, result.terms, 0, 0, {}});
  const bool is_sequence = !input.spec.start_directory.empty();
  if (input.mixed_blobs.size() > 1) {
    sets.weights.push_back({ComparisonKind::kAverage, AverageOf(input.mixed_blobs), 0, 0, {}});
  } else if (!is_sequence) {
    sets.fine_tuned = WholeCheckpoint(input.mixed_blobs.front());
  }
  MP_RETURN_IF_ERROR(AddSequence(spec, result.terms, sets));
  if (sets.fine_tuned.has_value()) sets.weights.push_back({ComparisonKind::kFineTuned, *sets.fine_tuned, 0, 0, {}});
  for (const std::string& directory : spec.specialised_directories) {
    MP_ASSIGN_OR_RETURN(const FineTuneResult own, ReadFineTuneResult(directory));
    sets.specialised.push_back(WholeCheckpoint(own.blob));
  }
  AddSnapshots(input.fine_tuned, sets);
  return sets;
}

// What predicts a task in the set of specialised models: its own model, or θ_zs for a supported task.
const Terms& SpecialisedFor(size_t task, const ComparedSets& sets) {
  static const Terms kZeroShot;
  return task < sets.specialised.size() ? sets.specialised[task] : kZeroShot;
}

absl::StatusOr<ComparedWeights> CompareSpecialised(const ComparedSets& sets, size_t tasks, TestEvaluator& evaluator) {
  ComparedWeights compared{ComparisonKind::kSpecialised, {}, 0, 0, {}};
  for (size_t i = 0; i < tasks; ++i) {
    MP_ASSIGN_OR_RETURN(const Predictions* predictions, evaluator.Predict(SpecialisedFor(i, sets)));
    compared.accuracies.push_back(evaluator.AccuraciesOf(*predictions)[i]);
  }
  return compared;
}

// What one task's test examples say about three sets of weights; `fine_tuned` may be null.
TaskDetails DetailsOf(const patch::EvaluationSet& set, const data::Task& task, const std::vector<int32_t>& zero_shot,
                      const std::vector<int32_t>& patched, const std::vector<int32_t>* fine_tuned) {
  TaskDetails details;
  details.task = set.task;
  const std::vector<uint8_t> before = patch::CorrectnessOf(set, zero_shot);
  const std::vector<uint8_t> after = patch::CorrectnessOf(set, patched);
  const std::vector<uint8_t> end =
      fine_tuned == nullptr ? std::vector<uint8_t>() : patch::CorrectnessOf(set, *fine_tuned);
  details.zero_shot = patch::BootstrapAccuracy(before, kBootstrapSeed);
  details.patched = patch::BootstrapAccuracy(after, kBootstrapSeed);
  details.fine_tuned = patch::BootstrapAccuracy(end, kBootstrapSeed);
  details.gain = patch::BootstrapDifference(before, after, kBootstrapSeed);
  if (task.class_names.size() > kMaximumReportedClasses) return details;
  details.class_names = task.class_names;
  details.classes.resize(task.class_names.size());
  for (size_t i = 0; i < before.size(); ++i) {
    ClassCorrect& one = details.classes[static_cast<size_t>(set.pixels->labels[i])];
    ++one.total;
    one.zero_shot += before[i];
    one.patched += after[i];
    one.fine_tuned += end.empty() ? 0 : end[i];
  }
  return details;
}

absl::Status FillDetails(const FinalEvaluationInput& input, const std::vector<patch::EvaluationSet>& test,
                         const ComparedSets& sets, TestEvaluator& evaluator, SearchResult& result) {
  MP_ASSIGN_OR_RETURN(const Predictions* zero_shot, evaluator.Predict({}));
  MP_ASSIGN_OR_RETURN(const Predictions* patched, evaluator.Predict(result.terms));
  for (size_t i = 0; i < test.size(); ++i) {
    const std::vector<int32_t>* end = nullptr;
    if (sets.fine_tuned.has_value()) {
      MP_ASSIGN_OR_RETURN(const Predictions* all, evaluator.Predict(*sets.fine_tuned));
      end = &(*all)[i];
    } else if (!sets.specialised.empty()) {
      MP_ASSIGN_OR_RETURN(const Predictions* all, evaluator.Predict(SpecialisedFor(i, sets)));
      end = &(*all)[i];
    }
    result.details.push_back(DetailsOf(test[i], input.tasks[i].task, (*zero_shot)[i], (*patched)[i], end));
  }
  return absl::OkStatus();
}

std::vector<patch::AlphaAccuracies> PointsOf(const std::vector<CurvePoint>& curve) {
  std::vector<patch::AlphaAccuracies> points;
  for (const CurvePoint& point : curve) points.push_back({point.alpha, point.accuracies});
  return points;
}

// The means over each kind of task, along the curve.
absl::StatusOr<patch::TradeOffMetrics> TradeOff(const std::vector<CurvePoint>& curve) {
  std::vector<patch::TradeOffPoint> points;
  for (const CurvePoint& point : curve) {
    double sums[2] = {0, 0};
    int64_t counts[2] = {0, 0};
    for (const patch::TaskAccuracy& accuracy : point.accuracies) {
      const int kind = accuracy.role == patch::TaskRole::kSupported ? 0 : 1;
      sums[kind] += accuracy.accuracy();
      ++counts[kind];
    }
    points.push_back({point.alpha, counts[0] > 0 ? sums[0] / static_cast<double>(counts[0]) : 0,
                      counts[1] > 0 ? sums[1] / static_cast<double>(counts[1]) : 0});
  }
  return patch::ComputeTradeOffMetrics(points);
}

// Of θ_zs and the curve's end.
absl::Status FillMeasures(const FinalEvaluationInput& input, SearchResult& result) {
  MP_ASSIGN_OR_RETURN(result.trade_off, TradeOff(result.curve));
  result.proxy_choices = patch::ComputeProxyChoices(PointsOf(result.curve));
  const tensor::WeightSet& base = input.model->image_weights;
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet end,
                      tensor::Guarded([&] { return tensor::WeightSet(base.shared_layout(), base.device()); }));
  MP_RETURN_IF_ERROR(patch::InterpolateTerms(base, AverageOf(result.blobs), input.weights.loader(), end));
  for (const OpenedTask& opened : input.tasks) {
    if (opened.role != patch::TaskRole::kSupported) continue;
    MP_ASSIGN_OR_RETURN(result.cka[opened.task.name],
                        patch::CompareFeatures(input.model, base, end, opened.task, input.threads, input.cancellation));
  }
  MP_ASSIGN_OR_RETURN(const patch::WeightSimilarity similarity, tensor::Guarded([&] {
                        return patch::CompareWeights(base.flat(), end.flat(), base.layout().parameter_count());
                      }));
  result.weight_cosine = similarity.cosine;
  result.weight_mean_absolute_difference = similarity.mean_absolute_difference;
  return absl::OkStatus();
}

}  // namespace

absl::Status EvaluateFinally(const FinalEvaluationInput& input, SearchResult& result) {
  MP_ASSIGN_OR_RETURN(
      const std::vector<patch::EvaluationSet> test,
      MakeEvaluationSets(*input.model, input.tasks, data::Split::kTest, input.threads, input.cancellation));
  MP_ASSIGN_OR_RETURN(ComparedSets sets, FindCompared(input, result));
  MP_ASSIGN_OR_RETURN(const auto evaluator, tensor::Guarded([&] {
                        return std::make_unique<TestEvaluator>(input.model, test, input.spec.precision, input.weights,
                                                               input.cancellation);
                      }));
  for (ComparedWeights& compared : sets.weights) {
    MP_ASSIGN_OR_RETURN(const Predictions* predictions, evaluator->Predict(compared.terms));
    compared.accuracies = evaluator->AccuraciesOf(*predictions);
  }
  result.comparisons = sets.weights;
  if (!sets.specialised.empty()) {
    MP_ASSIGN_OR_RETURN(ComparedWeights specialised, CompareSpecialised(sets, test.size(), *evaluator));
    result.comparisons.push_back(std::move(specialised));
  }
  MP_RETURN_IF_ERROR(FillDetails(input, test, sets, *evaluator, result));
  return FillMeasures(input, result);
}

}  // namespace modelpatch::train
