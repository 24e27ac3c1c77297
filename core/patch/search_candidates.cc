#include "core/patch/search_candidates.h"

#include <cmath>
#include <numeric>
#include <utility>

namespace modelpatch::patch {
namespace {

bool HaveSameTasks(std::span<const TaskAccuracy> a, std::span<const TaskAccuracy> b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].task != b[i].task || a[i].role != b[i].role || a[i].total != b[i].total) return false;
  }
  return true;
}

double Sum(std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

}  // namespace

SearchCandidates::SearchCandidates(const SearchInput& input, const CoefficientSpace& space,
                                   const base::CancellationToken& cancellation,
                                   const std::function<void(const SearchCandidate&)>& on_candidate)
    : input_(input), space_(space), cancellation_(cancellation), on_candidate_(on_candidate) {}

absl::StatusOr<size_t> SearchCandidates::Evaluate(std::span<const double> coefficients) {
  std::vector<int64_t> key;
  for (const double value : coefficients) key.push_back(std::llround(value * 1e9));
  if (const auto found = places_.find(key); found != places_.end()) return found->second;
  SearchCandidate candidate{{coefficients.begin(), coefficients.end()}, {}};
  MP_RETURN_IF_ERROR(cancellation_.Check());
  MP_ASSIGN_OR_RETURN(candidate.accuracies, input_.evaluate(candidate.coefficients));
  if (!candidates_.empty() && !HaveSameTasks(candidate.accuracies, candidates_.front().accuracies)) {
    return base::Internal("BAD_SEARCH_INPUT", "the candidates of a search were evaluated on different tasks");
  }
  const size_t index = candidates_.size();
  places_.emplace(std::move(key), index);
  candidates_.push_back(std::move(candidate));
  if (IsBetter(index, best_)) best_ = index;
  if (on_candidate_) on_candidate_(candidates_.back());
  return index;
}

double SearchCandidates::Objective(size_t index) const {
  return SearchObjective(candidates_[index].accuracies, candidates_.front().accuracies, input_.policy,
                         input_.epsilon_points);
}

bool SearchCandidates::IsWithinBudget(size_t index) const {
  return input_.policy != AlphaPolicy::kBudget ||
         patch::IsWithinBudget(candidates_[index].accuracies, candidates_.front().accuracies, input_.epsilon_points);
}

bool SearchCandidates::IsBetter(size_t index, size_t other) const {
  // θ_zs is always within the budget, so there is a best one.
  if (!IsWithinBudget(index)) return false;
  const double score = PolicyScore(candidates_[index].accuracies, input_.policy);
  const double other_score = PolicyScore(candidates_[other].accuracies, input_.policy);
  if (IsBetterScore(score, other_score)) return true;
  if (IsBetterScore(other_score, score)) return false;
  constexpr double kRounding = 1e-9;
  return Sum(candidates_[index].coefficients) < Sum(candidates_[other].coefficients) - kRounding;
}

}  // namespace modelpatch::patch
