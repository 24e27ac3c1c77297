#include "core/train/coefficient_choice.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/patch/coefficient_groups.h"
#include "core/patch/mixture_gradient.h"
#include "core/patch/sweep.h"
#include "core/tensor/guard.h"

namespace modelpatch::train {
namespace {

constexpr size_t kMaximumReportedCandidates = 2000;

// The policy by which candidates are compared; a fixed α is not compared, only reported.
patch::AlphaPolicy ComparedBy(const SearchSpec& spec) {
  return spec.policy == patch::AlphaPolicy::kBudget ? patch::AlphaPolicy::kBudget : patch::AlphaPolicy::kMean;
}

double ObjectiveOf(const SearchSpec& spec, const std::vector<patch::TaskAccuracy>& accuracies,
                   const std::vector<patch::TaskAccuracy>& base) {
  return patch::SearchObjective(accuracies, base, ComparedBy(spec), spec.epsilon_points);
}

// α along the line from the start to the one checkpoint.
absl::StatusOr<SearchResult> ChooseOnLine(const ChoiceInput& input) {
  const SearchSpec& spec = input.spec;
  const std::vector<patch::MixtureTerm> end = {{input.blobs.front(), 1.0}};
  SearchResult result;
  std::vector<patch::AlphaAccuracies> points;
  const auto collect = [&](const patch::SweepPoint& point) {
    points.push_back({point.alpha, point.accuracies});
    result.curve.push_back({point.alpha, point.terms, point.accuracies});
    input.on_point(result.curve.back());
    input.on_progress(static_cast<int64_t>(points.size()), static_cast<int64_t>(spec.alphas.size()));
    return absl::OkStatus();
  };
  const patch::SweepInput sweep{input.model, input.start, end, spec.alphas, input.validation};
  MP_RETURN_IF_ERROR(patch::RunSweep(sweep, input.weights.loader(), patch::DirectFeatures(input.model, spec.precision),
                                     input.cancellation, collect)
                         .status());
  result.alpha = spec.fixed_alpha;
  if (spec.policy != patch::AlphaPolicy::kFixed) {
    MP_ASSIGN_OR_RETURN(const size_t chosen, patch::ChooseAlpha(points, spec.policy, spec.epsilon_points));
    result.alpha = points[chosen].alpha;
  }
  result.terms = patch::TermsBetween(input.start, end, result.alpha);
  result.blobs = input.blobs;
  result.search.evaluations = static_cast<int64_t>(points.size());
  const auto chosen =
      std::find_if(points.begin(), points.end(), [&](const auto& point) { return point.alpha == result.alpha; });
  if (chosen != points.end()) {
    result.search.objective = ObjectiveOf(spec, chosen->accuracies, points.front().accuracies);
    result.search.uniform_objective = result.search.objective;
  }
  return result;
}

// Evaluates and differentiates mixtures of several checkpoints.
class MixtureObjective {
 public:
  MixtureObjective(const ChoiceInput& input, std::vector<patch::BlobWeights> checkpoints)
      : input_(input),
        checkpoints_(std::move(checkpoints)),
        groups_(patch::GroupWeights(input.model->image_weights.layout(), input.spec.coefficient_search.group)),
        features_(patch::DirectFeatures(input.model, input.spec.precision)),
        scratch_(input.model->image_weights.shared_layout(), input.model->image_weights.device()) {}

  size_t groups() const { return groups_.count(); }
  const tensor::WeightSet& scratch() const { return scratch_; }

  // The terms of coefficients without groups.
  std::vector<patch::MixtureTerm> TermsOf(std::span<const double> coefficients) const {
    std::vector<patch::MixtureTerm> terms;
    for (size_t i = 0; i < checkpoints_.size(); ++i) terms.push_back({checkpoints_[i].blob, coefficients[i]});
    return patch::CanonicalTerms(terms);
  }

  // Writes the mixture's weights into scratch().
  absl::Status Mix(std::span<const double> coefficients) {
    if (groups() == 1) {
      return patch::InterpolateTerms(input_.model->image_weights, TermsOf(coefficients), input_.weights.loader(),
                                     scratch_);
    }
    return tensor::Guarded(
        [&] { patch::InterpolateGroups(input_.model->image_weights, checkpoints_, coefficients, groups_, scratch_); });
  }

  absl::StatusOr<std::vector<patch::TaskAccuracy>> Evaluate(std::span<const double> coefficients) {
    MP_RETURN_IF_ERROR(Mix(coefficients));
    std::vector<patch::TaskAccuracy> accuracies;
    for (const patch::EvaluationSet& set : input_.validation) {
      MP_ASSIGN_OR_RETURN(patch::TaskAccuracy accuracy,
                          patch::EvaluateAccuracy(*input_.model, scratch_, set, features_, input_.cancellation));
      accuracies.push_back(std::move(accuracy));
    }
    return accuracies;
  }

  absl::StatusOr<patch::CoefficientGradient> Differentiate(std::span<const double> coefficients, int64_t step) {
    if (!gradient_.has_value()) {
      const patch::CoefficientSearchOptions& options = input_.spec.coefficient_search;
      MP_RETURN_IF_ERROR(tensor::Guarded([&] {
        gradient_.emplace(patch::MixtureGradientInput{input_.model, checkpoints_, input_.validation, groups_,
                                                      options.batch_size, options.seed, ComparedBy(input_.spec),
                                                      input_.spec.precision});
      }));
    }
    return gradient_->Differentiate(coefficients, step, input_.cancellation);
  }

 private:
  const ChoiceInput& input_;
  const std::vector<patch::BlobWeights> checkpoints_;
  const patch::CoefficientGroups groups_;
  const patch::FeatureFunction features_;
  const tensor::WeightSet scratch_;
  std::optional<patch::MixtureGradient> gradient_;
};

// The uniform candidates come first, in the order of their α.
std::vector<CurvePoint> CurveOf(const SearchSpec& spec, const patch::SearchOutcome& outcome,
                                const std::vector<std::string>& blobs) {
  std::vector<CurvePoint> curve;
  for (size_t i = 0; i < spec.alphas.size() && i < outcome.candidates.size(); ++i) {
    std::vector<patch::MixtureTerm> terms;
    for (const std::string& blob : blobs) terms.push_back({blob, spec.alphas[i] / static_cast<double>(blobs.size())});
    curve.push_back({spec.alphas[i], patch::CanonicalTerms(terms), outcome.candidates[i].accuracies});
  }
  return curve;
}

void FillTotals(const SearchSpec& spec, const patch::SearchOutcome& outcome, size_t chosen, bool has_groups,
                SearchTotals& totals) {
  const auto& base = outcome.candidates.front().accuracies;
  totals.method = patch::NameOf(spec.coefficient_search.method);
  totals.evaluations = static_cast<int64_t>(outcome.candidates.size());
  totals.gradient_evaluations = outcome.gradient_evaluations;
  totals.objective = ObjectiveOf(spec, outcome.candidates[chosen].accuracies, base);
  totals.uniform_objective = ObjectiveOf(spec, outcome.candidates[outcome.best_uniform].accuracies, base);
  for (const patch::SearchCandidate& candidate : outcome.candidates) {
    if (totals.candidates.size() == kMaximumReportedCandidates) break;
    totals.candidates.push_back({has_groups ? std::vector<double>() : candidate.coefficients, candidate.accuracies});
  }
}

absl::StatusOr<SearchResult> ChooseAmongMixtures(const ChoiceInput& input) {
  const SearchSpec& spec = input.spec;
  MP_ASSIGN_OR_RETURN(std::vector<patch::BlobWeights> checkpoints, input.weights.GetAll(input.blobs));
  MP_ASSIGN_OR_RETURN(const auto objective, tensor::Guarded([&] {
                        return std::make_unique<MixtureObjective>(input, std::move(checkpoints));
                      }));
  patch::SearchInput search;
  search.checkpoints = input.blobs.size();
  search.groups = objective->groups();
  search.alphas = spec.alphas;
  search.policy = ComparedBy(spec);
  search.epsilon_points = spec.epsilon_points;
  search.evaluate = [&](std::span<const double> coefficients) { return objective->Evaluate(coefficients); };
  search.differentiate = [&](std::span<const double> coefficients, int64_t step) {
    return objective->Differentiate(coefficients, step);
  };
  const int64_t expected = patch::MaximumCandidates(spec.coefficient_search, input.blobs.size(), spec.alphas.size());
  int64_t done = 0;
  const auto on_candidate = [&](const patch::SearchCandidate& candidate) {
    if (static_cast<size_t>(done) < spec.alphas.size() && objective->groups() == 1) {
      input.on_point(
          {spec.alphas[static_cast<size_t>(done)], objective->TermsOf(candidate.coefficients), candidate.accuracies});
    }
    ++done;
    input.on_progress(done, std::max(done, expected));
  };
  MP_ASSIGN_OR_RETURN(const patch::SearchOutcome outcome,
                      patch::SearchCoefficients(spec.coefficient_search, search, input.cancellation, on_candidate));

  SearchResult result;
  size_t chosen = outcome.chosen;
  if (spec.policy == patch::AlphaPolicy::kFixed) {
    // The fixed α is one of the grid.
    chosen = static_cast<size_t>(std::lower_bound(spec.alphas.begin(), spec.alphas.end(), spec.fixed_alpha) -
                                 spec.alphas.begin());
  }
  const bool is_uniform = chosen < spec.alphas.size();
  const bool has_groups = objective->groups() > 1;
  result.curve = CurveOf(spec, outcome, input.blobs);
  FillTotals(spec, outcome, chosen, has_groups, result.search);
  result.blobs = input.blobs;
  if (is_uniform) {
    result.alpha = spec.alphas[chosen];
    result.terms = result.curve[chosen].terms;
    return result;
  }
  result.alpha = 1;
  const std::vector<double>& coefficients = outcome.candidates[chosen].coefficients;
  if (!has_groups) {
    result.terms = objective->TermsOf(coefficients);
    return result;
  }
  MP_RETURN_IF_ERROR(objective->Mix(coefficients));
  MP_ASSIGN_OR_RETURN(result.merged_blob, input.keep(objective->scratch()));
  result.terms = {{result.merged_blob, 1.0}};
  result.blobs = {result.merged_blob};
  return result;
}

}  // namespace

absl::StatusOr<SearchResult> ChooseCoefficients(const ChoiceInput& input) {
  return input.blobs.size() == 1 ? ChooseOnLine(input) : ChooseAmongMixtures(input);
}

}  // namespace modelpatch::train
