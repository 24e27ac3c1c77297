#include "server/measured_accuracies.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

namespace modelpatch::server {
namespace {

// Sums of coefficients that agree to this are one mixture: ten terms of 0.1 are 1.
constexpr double kSameCoefficient = 1e-9;

std::map<std::string, double> CoefficientsOf(const v1::Mixture& mixture) {
  std::map<std::string, double> sums;
  for (const v1::MixtureTerm& term : mixture.terms()) sums[term.checkpoint()] += term.coefficient();
  std::erase_if(sums, [](const auto& one) { return std::abs(one.second) < kSameCoefficient; });
  return sums;
}

// Of a job that made one checkpoint and stored no comparisons.
const v1::TaskAccuracy* FinalAt(const v1::PatchJobResult& result, const v1::FinalAccuracy& last,
                                const v1::Mixture& mixture) {
  if (IsSameMixture(mixture, result.mixture())) return &last.patched();
  if (IsSameMixture(mixture, v1::Mixture())) return &last.zero_shot();
  v1::Mixture fine_tuned;
  if (result.checkpoints_size() != 1) return nullptr;
  fine_tuned.add_terms()->set_checkpoint(result.checkpoints(0));
  fine_tuned.mutable_terms(0)->set_coefficient(1);
  return IsSameMixture(mixture, fine_tuned) ? &last.fine_tuned() : nullptr;
}

}  // namespace

bool IsSameMixture(const v1::Mixture& first, const v1::Mixture& second) {
  const auto one = CoefficientsOf(first);
  const auto other = CoefficientsOf(second);
  return std::equal(one.begin(), one.end(), other.begin(), other.end(), [](const auto& a, const auto& b) {
    return a.first == b.first && std::abs(a.second - b.second) < kSameCoefficient;
  });
}

std::vector<v1::TaskAccuracy> MeasuredAt(const v1::PatchJobResult& result, const v1::Mixture& mixture) {
  std::vector<v1::TaskAccuracy> measured;
  const auto append = [&](const auto& accuracies) {
    measured.insert(measured.end(), accuracies.begin(), accuracies.end());
  };
  for (const v1::SweepPoint& point : result.points()) {
    if (!IsSameMixture(point.mixture(), mixture)) continue;
    append(point.accuracies());
    break;
  }
  for (const v1::Comparison& comparison : result.comparisons()) {
    if (!comparison.has_mixture() || !IsSameMixture(comparison.mixture(), mixture)) continue;
    append(comparison.accuracies());
    return measured;
  }
  for (const v1::FinalAccuracy& last : result.final_accuracies()) {
    if (const v1::TaskAccuracy* accuracy = FinalAt(result, last, mixture); accuracy != nullptr) {
      measured.push_back(*accuracy);
    }
  }
  return measured;
}

}  // namespace modelpatch::server
