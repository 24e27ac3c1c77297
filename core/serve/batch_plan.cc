#include "core/serve/batch_plan.h"

#include <map>

namespace modelpatch::serve {
namespace {

bool CanShare(const BatchCandidate& a, const BatchCandidate& b) {
  return a.encoder == b.encoder && a.image_size == b.image_size;
}

// All that wait for one materialised mixture.
struct Group {
  int64_t images = 0;
  size_t sources = 0;

  double PlainCost(const ForwardCosts& costs) const {
    return costs.plain_fixed + costs.plain_image * static_cast<double>(images);
  }
  // What these images add to a mixed forward.
  double MixedCost(const ForwardCosts& costs) const {
    return costs.mixed_product * static_cast<double>(sources) * static_cast<double>(images);
  }
  bool IsCheaperMixed(const ForwardCosts& costs) const { return sources > 0 && MixedCost(costs) < PlainCost(costs); }
};

using Groups = std::map<const void*, Group>;

Groups GroupsAround(std::span<const BatchCandidate> candidates) {
  Groups groups;
  for (const BatchCandidate& candidate : candidates) {
    if (candidate.weights == nullptr || !CanShare(candidate, candidates[0])) continue;
    Group& group = groups[candidate.weights];
    group.images += candidate.images;
    group.sources = candidate.sources;
  }
  return groups;
}

// Whether the leader, whose mixture is materialised, is better off in a mixed batch.
bool LeaderIsMixed(std::span<const BatchCandidate> candidates, const Groups& groups, const ForwardCosts& costs) {
  if (!groups.at(candidates[0].weights).IsCheaperMixed(costs)) return false;
  // A mixed forward that runs anyway takes it along; one for materialised mixtures alone must be worth it as a whole.
  for (const BatchCandidate& candidate : candidates) {
    if (candidate.weights == nullptr && CanShare(candidate, candidates[0])) return true;
  }
  double plain = 0;
  double mixed = costs.mixed_fixed;
  int mixtures = 0;
  for (const auto& [weights, group] : groups) {
    if (!group.IsCheaperMixed(costs)) continue;
    ++mixtures;
    plain += group.PlainCost(costs);
    mixed += group.MixedCost(costs);
  }
  return mixtures > 1 && mixed < plain;
}

}  // namespace

BatchPlan PlanBatch(std::span<const BatchCandidate> candidates, const ForwardCosts& costs, int64_t maximum_batch) {
  const BatchCandidate& leader = candidates[0];
  const Groups groups = GroupsAround(candidates);
  BatchPlan plan;
  plan.is_mixed = leader.weights == nullptr || LeaderIsMixed(candidates, groups, costs);
  const auto joins = [&](const BatchCandidate& candidate) {
    if (!CanShare(candidate, leader)) return false;
    if (!plan.is_mixed) return candidate.weights == leader.weights;
    return candidate.weights == nullptr || groups.at(candidate.weights).IsCheaperMixed(costs);
  };
  int64_t images = 0;
  for (size_t position = 0; position < candidates.size(); ++position) {
    const BatchCandidate& candidate = candidates[position];
    const bool fits = position == 0 || images + candidate.images <= maximum_batch;
    if (!fits || (position > 0 && !joins(candidate))) continue;
    images += candidate.images;
    plan.chosen.push_back(position);
  }
  return plan;
}

}  // namespace modelpatch::serve
