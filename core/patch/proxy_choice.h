// What choosing α by one supported task costs where another one is wanted: how well supported tasks stand for each
// other. Torch-free; pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/patch/alpha_policy.h"

namespace modelpatch::patch {

struct ProxyChoice {
  // The supported task by whose accuracy, and the patching tasks', α was chosen (AlphaPolicy::kMean).
  std::string chosen_by;
  double alpha = 0;
  // Another supported task, and its accuracy at that α.
  std::string evaluated_on;
  double accuracy = 0;
  // With M(α) = ½·(mean over patching tasks + accuracy of `evaluated_on`): max M − M(alpha). ≥ 0.
  double cost = 0;
};

// For every ordered pair of supported tasks, in the order of the first point's accuracies. Empty unless there are
// points and at least two supported tasks.
std::vector<ProxyChoice> ComputeProxyChoices(std::span<const AlphaAccuracies> points);

}  // namespace modelpatch::patch
