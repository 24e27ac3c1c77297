#include <fmt/format.h>
#include <nlopt.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "core/base/random.h"
#include "core/patch/search_methods.h"

namespace modelpatch::patch {
namespace {

// NLopt asks again for coefficients that were rounded to known ones; this many calls for each evaluation end it.
constexpr int64_t kCallsPerEvaluation = 20;
// Steps that change nothing: a grid of 100 points a coefficient is finer than accuracies can tell.
constexpr double kSmallestStep = 0.01;
// By which points beyond Σα ≤ 1 are worse than their projection, for each unit of the distance.
constexpr double kDistancePenalty = 0.1;

// What NLopt calls. It is C: errors are kept and the optimisation is stopped.
class Objective {
 public:
  // No more than `evaluations` new candidates.
  Objective(SearchCandidates& candidates, int64_t evaluations)
      : candidates_(candidates), limit_(static_cast<int64_t>(candidates.all().size()) + evaluations) {}

  bool is_spent() const { return static_cast<int64_t>(candidates_.all().size()) >= limit_; }
  const absl::Status& status() const { return status_; }

  // Maximises by `algorithm` from `start`, within `radius` of it.
  void Maximize(nlopt_algorithm algorithm, std::vector<double> start, std::span<const double> radius,
                std::span<const double> first_step) {
    if (!status_.ok() || is_spent()) return;
    const std::unique_ptr<nlopt_opt_s, void (*)(nlopt_opt)> made(
        nlopt_create(algorithm, static_cast<unsigned>(start.size())), nlopt_destroy);
    if (made == nullptr) {
      status_ = base::ResourceExhausted("OUT_OF_MEMORY", "no memory for the black-box search");
      return;
    }
    optimizer_ = made.get();
    std::vector<double> low, high;
    for (size_t i = 0; i < start.size(); ++i) {
      low.push_back(std::max(0.0, start[i] - radius[i]));
      high.push_back(std::min(1.0, start[i] + radius[i]));
    }
    nlopt_set_max_objective(optimizer_, &Objective::Call, this);
    nlopt_set_lower_bounds(optimizer_, low.data());
    nlopt_set_upper_bounds(optimizer_, high.data());
    nlopt_set_initial_step(optimizer_, first_step.data());
    nlopt_set_xtol_abs1(optimizer_, kSmallestStep);
    nlopt_set_maxeval(optimizer_, static_cast<int>(std::min<int64_t>(limit_ * kCallsPerEvaluation, 1'000'000)));
    double best = 0;
    // How it ended does not matter: every candidate is remembered, and what went wrong is in status_.
    nlopt_optimize(optimizer_, start.data(), &best);
    optimizer_ = nullptr;
  }

 private:
  static double Call(unsigned size, const double* point, double* /*gradient*/, void* self) {
    return static_cast<Objective*>(self)->Evaluate({point, size});
  }

  double Evaluate(std::span<const double> point) {
    constexpr double kWorst = -1e6;
    if (!status_.ok() || !std::all_of(point.begin(), point.end(), [](double value) { return std::isfinite(value); })) {
      return kWorst;
    }
    const std::vector<double> projected = candidates_.space().Project(point);
    double distance = 0;
    for (size_t i = 0; i < point.size(); ++i) distance += (point[i] - projected[i]) * (point[i] - projected[i]);
    const auto index = candidates_.Evaluate(candidates_.space().Round(projected));
    if (!index.ok()) {
      status_ = index.status();
      nlopt_force_stop(optimizer_);
      return kWorst;
    }
    if (is_spent()) nlopt_force_stop(optimizer_);
    return candidates_.Objective(*index) - kDistancePenalty * std::sqrt(distance);
  }

  SearchCandidates& candidates_;
  const int64_t limit_;
  nlopt_opt optimizer_ = nullptr;
  absl::Status status_;
};

}  // namespace

absl::Status SearchAsBlackBox(const CoefficientSearchOptions& options, SearchCandidates& candidates) {
  const size_t size = candidates.space().size();
  base::RandomStream random(options.seed, "black-box search");
  std::vector<double> first_step, box;
  for (size_t i = 0; i < size; ++i) {
    first_step.push_back(random.Uniform(0.1, 0.2));
    box.push_back(random.Uniform(0.2, 0.4));
  }
  const auto best = [&] { return candidates.all()[candidates.best()].coefficients; };
  const std::vector<double> everywhere(size, 1.0);

  Objective first(candidates, (options.maximum_evaluations + 1) / 2);
  // BOBYQA wants two dimensions at least.
  first.Maximize(size == 1 ? NLOPT_LN_SBPLX : NLOPT_LN_BOBYQA, best(), everywhere, first_step);
  MP_RETURN_IF_ERROR(first.status());

  const auto spent = static_cast<int64_t>(candidates.all().size() - candidates.input().alphas.size());
  Objective second(candidates, options.maximum_evaluations - spent);
  second.Maximize(NLOPT_GN_DIRECT_L, best(), box, first_step);
  return second.status();
}

}  // namespace modelpatch::patch
