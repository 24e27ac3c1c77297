// Coefficient search: which mixture of k checkpoints is best on validation data.
//
// Knows nothing of models: it is given functions that evaluate coefficients and give gradients, so that it can be
// tested on functions whose optimum is known. Torch-free. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/cancellation.h"
#include "core/base/status.h"
#include "core/patch/alpha_policy.h"

namespace modelpatch::patch {

enum class SearchMethod { kUniform, kExhaustive, kBlackBox, kGradient };

// "uniform", "exhaustive", "black-box", "gradient".
std::string_view NameOf(SearchMethod method);

// Which weights of a checkpoint share one coefficient (see coefficient_groups.h).
enum class CoefficientGroup { kModel, kBlock, kLayer };

// "model", "block", "layer".
std::string_view NameOf(CoefficientGroup group);

struct CoefficientSearchOptions {
  SearchMethod method = SearchMethod::kUniform;
  // Σαᵢ ≤ 1 too.
  bool sum_at_most_one = false;
  // Exhaustive: the values of each coefficient; 0 among them.
  std::vector<double> grid;
  // Black-box.
  int64_t maximum_evaluations = 50;
  // Gradient: steps of Adam, its learning rate in coefficients a step, and validation examples of each task a step.
  int64_t steps = 30;
  double learning_rate = 0.05;
  int64_t batch_size = 128;
  CoefficientGroup group = CoefficientGroup::kModel;
  // Of the black-box method and of the gradient's batches.
  uint64_t seed = 0;
};

// INVALID_ARGUMENT (BAD_SEARCH_OPTION) with the option's name as the field; also for an exhaustive search of more than
// three checkpoints, or of more than 10,000 points.
absl::Status CheckCoefficientSearch(const CoefficientSearchOptions& options, size_t checkpoints);

// The accuracies on validation data at coefficients [k·groups], checkpoint by checkpoint. Each counts as one
// evaluation.
using EvaluateCoefficients =
    std::function<absl::StatusOr<std::vector<TaskAccuracy>>(std::span<const double> coefficients)>;

struct CoefficientGradient {
  double loss;
  // ∂loss/∂αᵢ, [k·groups].
  std::vector<double> gradient;
  // What it cost, in evaluations: a forward of a batch is its share of the validation data, a backward twice that.
  double evaluations;
};
// The loss of step `step`'s examples and its gradient.
using DifferentiateCoefficients =
    std::function<absl::StatusOr<CoefficientGradient>(std::span<const double> coefficients, int64_t step)>;

struct SearchCandidate {
  std::vector<double> coefficients;  // [k·groups]
  std::vector<TaskAccuracy> accuracies;
};

struct SearchInput {
  size_t checkpoints = 1;
  size_t groups = 1;
  // The α of the uniform candidates α / k, ascending, 0 among them. They are evaluated first whatever the method.
  std::vector<double> alphas;
  // kMean or kBudget.
  AlphaPolicy policy = AlphaPolicy::kMean;
  double epsilon_points = 0;
  EvaluateCoefficients evaluate;
  // Of the gradient search alone.
  DifferentiateCoefficients differentiate;
};

struct SearchOutcome {
  // In the order of evaluation; none twice.
  std::vector<SearchCandidate> candidates;
  size_t chosen = 0;
  // The best of the uniform ones.
  size_t best_uniform = 0;
  // What the gradients cost; evaluations themselves are candidates.size().
  double gradient_evaluations = 0;
};

// Runs the search. Ties take the smallest Σαᵢ, then the earlier candidate. `on_candidate` (may be null) is called for
// each.
absl::StatusOr<SearchOutcome> SearchCoefficients(const CoefficientSearchOptions& options, const SearchInput& input,
                                                 const base::CancellationToken& cancellation,
                                                 const std::function<void(const SearchCandidate&)>& on_candidate);

// The objective that `policy` maximises: the mean of MeanAccuracy (kMean), or the patching mean, less 1 for each point
// of percentage over budget that supported tasks lose against `base` (kBudget, so that a search is led back).
double SearchObjective(std::span<const TaskAccuracy> accuracies, std::span<const TaskAccuracy> base, AlphaPolicy policy,
                       double epsilon_points);

}  // namespace modelpatch::patch
