#include "core/patch/coefficient_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "core/patch/search_candidates.h"
#include "core/patch/search_methods.h"

namespace modelpatch::patch {
namespace {

constexpr size_t kMaximumExhaustiveCheckpoints = 3;
constexpr double kMaximumGridPoints = 10'000;
constexpr int64_t kMaximumSteps = 100'000;

absl::Status BadOption(std::string_view field, std::string_view message) {
  return base::WithField(base::InvalidArgument("BAD_SEARCH_OPTION", message), field);
}

absl::Status CheckCount(int64_t value, int64_t maximum, std::string_view field) {
  if (value >= 1 && value <= maximum) return absl::OkStatus();
  return BadOption(field, fmt::format("{} is {}; use 1 to {}", field, value, maximum));
}

absl::Status CheckGrid(std::span<const double> grid, size_t checkpoints) {
  if (checkpoints > kMaximumExhaustiveCheckpoints) {
    return BadOption("method", fmt::format("an exhaustive search of {} checkpoints would take too long; it takes at "
                                           "most {}; use black-box or gradient",
                                           checkpoints, kMaximumExhaustiveCheckpoints));
  }
  for (size_t i = 0; i < grid.size(); ++i) {
    if (!(grid[i] >= 0 && grid[i] <= 1)) {
      return BadOption(fmt::format("grid[{}]", i), fmt::format("{} does not lie in [0, 1]", grid[i]));
    }
    if (std::count(grid.begin(), grid.end(), grid[i]) > 1) {
      return BadOption(fmt::format("grid[{}]", i), fmt::format("{} is there twice", grid[i]));
    }
  }
  if (std::find(grid.begin(), grid.end(), 0.0) == grid.end()) return BadOption("grid", "0 is not among the values");
  const double points = std::pow(static_cast<double>(grid.size()), static_cast<double>(checkpoints));
  if (points > kMaximumGridPoints) {
    return BadOption("grid", fmt::format("{} values for {} checkpoints are {} points; at most {} are searched",
                                         grid.size(), checkpoints, points, kMaximumGridPoints));
  }
  return absl::OkStatus();
}

absl::Status CheckGradient(const CoefficientSearchOptions& options) {
  MP_RETURN_IF_ERROR(CheckCount(options.steps, kMaximumSteps, "steps"));
  MP_RETURN_IF_ERROR(CheckCount(options.batch_size, kMaximumSteps, "batch_size"));
  if (!(options.learning_rate > 0 && options.learning_rate <= 1)) {
    return BadOption("learning_rate", fmt::format("the learning rate is {}; use one in (0, 1]", options.learning_rate));
  }
  return absl::OkStatus();
}

absl::Status CheckInput(const CoefficientSearchOptions& options, const SearchInput& input) {
  const bool usable =
      input.checkpoints >= 1 && input.groups >= 1 && !input.alphas.empty() && input.alphas.front() == 0 &&
      input.alphas.back() <= 1 &&
      std::adjacent_find(input.alphas.begin(), input.alphas.end(), std::greater_equal<>()) == input.alphas.end() &&
      input.policy != AlphaPolicy::kFixed && input.evaluate != nullptr &&
      (options.method != SearchMethod::kGradient || input.differentiate != nullptr);
  if (usable) return absl::OkStatus();
  return base::InvalidArgument("BAD_SEARCH_INPUT",
                               "a search takes a checkpoint, ascending α from 0 within [0, 1], and a policy with an "
                               "objective: mean or budget");
}

}  // namespace

std::string_view NameOf(SearchMethod method) {
  switch (method) {
    case SearchMethod::kUniform:
      return "uniform";
    case SearchMethod::kExhaustive:
      return "exhaustive";
    case SearchMethod::kBlackBox:
      return "black-box";
    case SearchMethod::kGradient:
      return "gradient";
  }
  return "uniform";
}

std::string_view NameOf(CoefficientGroup group) {
  switch (group) {
    case CoefficientGroup::kModel:
      return "model";
    case CoefficientGroup::kBlock:
      return "block";
    case CoefficientGroup::kLayer:
      return "layer";
  }
  return "model";
}

absl::Status CheckCoefficientSearch(const CoefficientSearchOptions& options, size_t checkpoints) {
  if (options.method != SearchMethod::kGradient && options.group != CoefficientGroup::kModel) {
    return BadOption("group", fmt::format("coefficients of a {} need the gradient search, not {}",
                                          NameOf(options.group), NameOf(options.method)));
  }
  switch (options.method) {
    case SearchMethod::kUniform:
      return absl::OkStatus();
    case SearchMethod::kExhaustive:
      return CheckGrid(options.grid, checkpoints);
    case SearchMethod::kBlackBox:
      return CheckCount(options.maximum_evaluations, kMaximumSteps, "maximum_evaluations");
    case SearchMethod::kGradient:
      return CheckGradient(options);
  }
  return absl::OkStatus();
}

double SearchObjective(std::span<const TaskAccuracy> accuracies, std::span<const TaskAccuracy> base, AlphaPolicy policy,
                       double epsilon_points) {
  double objective = PolicyScore(accuracies, policy);
  if (policy != AlphaPolicy::kBudget || IsWithinBudget(accuracies, base, epsilon_points)) return objective;
  for (size_t i = 0; i < accuracies.size(); ++i) {
    if (accuracies[i].role != TaskRole::kSupported) continue;
    const double lost_points = 100 * (base[i].accuracy() - accuracies[i].accuracy());
    objective -= std::max(0.0, lost_points - epsilon_points);
  }
  return objective;
}

int64_t MaximumCandidates(const CoefficientSearchOptions& options, size_t checkpoints, size_t alphas) {
  const auto uniform = static_cast<int64_t>(alphas);
  switch (options.method) {
    case SearchMethod::kUniform:
      return uniform;
    case SearchMethod::kExhaustive:
      return uniform +
             static_cast<int64_t>(std::pow(static_cast<double>(options.grid.size()), static_cast<double>(checkpoints)));
    case SearchMethod::kBlackBox:
      return uniform + options.maximum_evaluations;
    case SearchMethod::kGradient:
      return uniform + MaximumGradientCandidates();
  }
  return uniform;
}

absl::StatusOr<SearchOutcome> SearchCoefficients(const CoefficientSearchOptions& options, const SearchInput& input,
                                                 const base::CancellationToken& cancellation,
                                                 const std::function<void(const SearchCandidate&)>& on_candidate) {
  MP_RETURN_IF_ERROR(CheckInput(options, input));
  MP_RETURN_IF_ERROR(CheckCoefficientSearch(options, input.checkpoints));
  const CoefficientSpace space{input.checkpoints, input.groups, options.sum_at_most_one};
  SearchCandidates candidates(input, space, cancellation, on_candidate);
  for (const double alpha : input.alphas) {
    const std::vector<double> coefficients(space.size(), alpha / static_cast<double>(input.checkpoints));
    MP_RETURN_IF_ERROR(candidates.Evaluate(coefficients).status());
  }
  SearchOutcome outcome;
  outcome.best_uniform = candidates.best();
  switch (options.method) {
    case SearchMethod::kUniform:
      break;
    case SearchMethod::kExhaustive:
      MP_RETURN_IF_ERROR(SearchExhaustively(options, candidates));
      break;
    case SearchMethod::kBlackBox:
      MP_RETURN_IF_ERROR(SearchAsBlackBox(options, candidates));
      break;
    case SearchMethod::kGradient:
      MP_RETURN_IF_ERROR(SearchByGradient(options, candidates, outcome.gradient_evaluations));
      break;
  }
  outcome.chosen = candidates.best();
  outcome.candidates = std::move(candidates).Release();
  return outcome;
}

}  // namespace modelpatch::patch
