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
  // Black-box: beside those of the uniform candidates.
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
// three checkpoints (`method`), or of more than 10,000 points (`grid`), and for groups with another method than the
// gradient search (`group`).
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

// Runs the search, after the uniform candidates:
//   exhaustive  every combination of the grid;
//   black-box   NLopt's BOBYQA from the best uniform candidate for half of the evaluations (SBPLX for one coefficient),
//               then DIRECT-L in a box around the best one; Σαᵢ ≤ 1 by projection. The seed draws the first steps and
//               the box. (Powell 2009; Gablonsky and Kelley 2001.)
//   gradient    Adam (Kingma and Ba 2015) from the best uniform candidate, projected on the constraints at each step;
//               under Σαᵢ ≤ 1 with one scale for all checkpoints, without which the projection would stop it short.
//               Then the mean of the iterates of the second half is evaluated, the last iterate, those after a quarter,
//               half and three quarters of the steps, and the best of all shrunk and stretched by a tenth and a fifth,
//               since the gradient's smooth loss and accuracy agree on a direction better than on a length; with
//               kBudget, four bisections between θ_zs and the mean.
// Black-box and gradient candidates are rounded to 1/10,000. Ties take the smallest Σαᵢ, then the earlier candidate.
// With kBudget only candidates within the budget are chosen. `on_candidate` (may be null) is called for each.
// Errors: INVALID_ARGUMENT of CheckCoefficientSearch, and BAD_SEARCH_INPUT for α that are not ascending from 0 within
// [0, 1]; those of the functions; CANCELLED.
absl::StatusOr<SearchOutcome> SearchCoefficients(const CoefficientSearchOptions& options, const SearchInput& input,
                                                 const base::CancellationToken& cancellation,
                                                 const std::function<void(const SearchCandidate&)>& on_candidate);

// At most so many candidates will be evaluated, for a progress report.
int64_t MaximumCandidates(const CoefficientSearchOptions& options, size_t checkpoints, size_t alphas);

// The objective that `policy` maximises: the mean of MeanAccuracy (kMean), or the patching mean, less 1 for each point
// of percentage over budget that supported tasks lose against `base` (kBudget, so that a search is led back).
double SearchObjective(std::span<const TaskAccuracy> accuracies, std::span<const TaskAccuracy> base, AlphaPolicy policy,
                       double epsilon_points);

}  // namespace modelpatch::patch
