#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/patch/search_methods.h"

namespace modelpatch::patch {
namespace {

// Kingma and Ba 2015, algorithm 1, with its defaults. Under Σα ≤ 1 the coefficients of a group have one scale, the mean
// of their squared gradients: with scales of their own the steps of all would be equally long, and the projection would
// leave a point on the edge where it is.
class Adam {
 public:
  Adam(const CoefficientSpace& space, double learning_rate)
      : space_(space), learning_rate_(learning_rate), mean_(space.size(), 0.0), square_(space.size(), 0.0) {}

  // One step down `gradient` from `point`.
  void Step(std::span<const double> gradient, std::vector<double>& point) {
    ++steps_;
    const double mean_scale = 1 / (1 - std::pow(kBeta1, steps_));
    const double square_scale = 1 / (1 - std::pow(kBeta2, steps_));
    const std::vector<double> squares = SquaresOf(gradient);
    for (size_t i = 0; i < point.size(); ++i) {
      mean_[i] = kBeta1 * mean_[i] + (1 - kBeta1) * gradient[i];
      square_[i] = kBeta2 * square_[i] + (1 - kBeta2) * squares[i];
      point[i] -= learning_rate_ * mean_[i] * mean_scale / (std::sqrt(square_[i] * square_scale) + kEpsilon);
    }
  }

 private:
  static constexpr double kBeta1 = 0.9;
  static constexpr double kBeta2 = 0.999;
  static constexpr double kEpsilon = 1e-8;

  std::vector<double> SquaresOf(std::span<const double> gradient) const {
    std::vector<double> squares;
    for (const double value : gradient) squares.push_back(value * value);
    if (!space_.sum_at_most_one) return squares;
    for (size_t g = 0; g < space_.groups; ++g) {
      double mean = 0;
      for (size_t i = 0; i < space_.checkpoints; ++i) {
        mean += squares[i * space_.groups + g] / static_cast<double>(space_.checkpoints);
      }
      for (size_t i = 0; i < space_.checkpoints; ++i) squares[i * space_.groups + g] = mean;
    }
    return squares;
  }

  const CoefficientSpace space_;
  const double learning_rate_;
  int64_t steps_ = 0;
  std::vector<double> mean_;
  std::vector<double> square_;
};

constexpr std::array kScales = {0.9, 1.1, 0.8, 1.2};
constexpr int64_t kBisections = 4;
// The mean, the last iterate and three on the way.
constexpr int64_t kIterates = 5;

// The iterates after each step.
absl::StatusOr<std::vector<std::vector<double>>> Descend(const CoefficientSearchOptions& options,
                                                         const SearchCandidates& candidates,
                                                         double& gradient_evaluations) {
  std::vector<double> point = candidates.all()[candidates.best()].coefficients;
  Adam adam(candidates.space(), options.learning_rate);
  std::vector<std::vector<double>> iterates;
  for (int64_t step = 0; step < options.steps; ++step) {
    MP_RETURN_IF_ERROR(candidates.cancellation().Check());
    MP_ASSIGN_OR_RETURN(const CoefficientGradient gradient, candidates.input().differentiate(point, step));
    gradient_evaluations += gradient.evaluations;
    const bool is_finite = std::all_of(gradient.gradient.begin(), gradient.gradient.end(),
                                       [](double value) { return std::isfinite(value); });
    if (gradient.gradient.size() != point.size() || !is_finite) {
      return base::FailedPrecondition(
          "LOSS_NOT_FINITE", fmt::format("at step {} of the gradient search the gradient is not finite", step));
    }
    adam.Step(gradient.gradient, point);
    point = candidates.space().Project(point);
    iterates.push_back(point);
  }
  return iterates;
}

std::vector<double> MeanOf(std::span<const std::vector<double>> points) {
  std::vector<double> mean(points.front().size(), 0.0);
  for (const std::vector<double>& point : points) {
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += point[i] / static_cast<double>(points.size());
  }
  return mean;
}

absl::StatusOr<size_t> EvaluateScaled(std::vector<double> point, double scale, SearchCandidates& candidates) {
  for (double& value : point) value *= scale;
  return candidates.Evaluate(candidates.space().Round(candidates.space().Project(point)));
}

// Between θ_zs, which is within the budget, and `point`.
absl::Status Bisect(const std::vector<double>& point, SearchCandidates& candidates) {
  double inside = 0;
  double outside = 1;
  for (int64_t i = 0; i < kBisections; ++i) {
    const double scale = (inside + outside) / 2;
    MP_ASSIGN_OR_RETURN(const size_t index, EvaluateScaled(point, scale, candidates));
    (candidates.IsWithinBudget(index) ? inside : outside) = scale;
  }
  return absl::OkStatus();
}

}  // namespace

int64_t MaximumGradientCandidates() { return kIterates + static_cast<int64_t>(kScales.size()) + kBisections; }

absl::Status SearchByGradient(const CoefficientSearchOptions& options, SearchCandidates& candidates,
                              double& gradient_evaluations) {
  MP_ASSIGN_OR_RETURN(const auto iterates, Descend(options, candidates, gradient_evaluations));
  const size_t steps = iterates.size();
  const std::vector<double> mean = MeanOf(std::span(iterates).subspan(steps / 2));
  MP_ASSIGN_OR_RETURN(const size_t of_mean, EvaluateScaled(mean, 1, candidates));
  for (const size_t quarters : {4, 1, 2, 3}) {
    const size_t taken = std::max<size_t>(1, steps * quarters / 4);
    MP_RETURN_IF_ERROR(EvaluateScaled(iterates[taken - 1], 1, candidates).status());
  }
  if (!candidates.IsWithinBudget(of_mean)) MP_RETURN_IF_ERROR(Bisect(mean, candidates));
  const std::vector<double> best = candidates.all()[candidates.best()].coefficients;
  for (const double scale : kScales) MP_RETURN_IF_ERROR(EvaluateScaled(best, scale, candidates).status());
  return absl::OkStatus();
}

}  // namespace modelpatch::patch
