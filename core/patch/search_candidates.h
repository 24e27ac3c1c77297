// SearchCandidates: what a coefficient search has evaluated so far, and which candidate is best.
//
// Each coefficients are evaluated once. One thread; the input outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "core/patch/coefficient_constraints.h"
#include "core/patch/coefficient_search.h"

namespace modelpatch::patch {

class SearchCandidates {
 public:
  SearchCandidates(const SearchInput& input, const CoefficientSpace& space, const base::CancellationToken& cancellation,
                   const std::function<void(const SearchCandidate&)>& on_candidate);

  const SearchInput& input() const { return input_; }
  const CoefficientSpace& space() const { return space_; }
  const base::CancellationToken& cancellation() const { return cancellation_; }
  const std::vector<SearchCandidate>& all() const { return candidates_; }

  // The index of the candidate with these coefficients (within 1e-9), which is evaluated if there is none. The first
  // one must be θ_zs: all are compared with it. CANCELLED; INTERNAL (BAD_SEARCH_INPUT) if the accuracies are not those
  // of the first candidate's tasks; the errors of the evaluation.
  absl::StatusOr<size_t> Evaluate(std::span<const double> coefficients);

  // See SearchObjective.
  double Objective(size_t index) const;
  bool IsWithinBudget(size_t index) const;
  // The candidate to choose; there is one.
  size_t best() const { return best_; }

  std::vector<SearchCandidate> Release() && { return std::move(candidates_); }

 private:
  // Whether candidate `index` is to be chosen rather than `other`.
  bool IsBetter(size_t index, size_t other) const;

  const SearchInput& input_;
  const CoefficientSpace space_;
  const base::CancellationToken& cancellation_;
  const std::function<void(const SearchCandidate&)>& on_candidate_;
  std::vector<SearchCandidate> candidates_;
  // By the coefficients in units of 1e-9.
  std::map<std::vector<int64_t>, size_t> places_;
  size_t best_ = 0;
};

}  // namespace modelpatch::patch
