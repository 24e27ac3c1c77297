// Splits, roles, accuracies and the paper's measures, between core's values and the API's messages. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "core/data/dataset.h"
#include "core/patch/alpha_policy.h"
#include "core/patch/evaluation.h"
#include "core/patch/trade_off_metrics.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

v1::Split ToMessage(data::Split split);
v1::TaskRole ToMessage(patch::TaskRole role);

// `otherwise` if unspecified. INVALID_ARGUMENT (BAD_SPLIT), with the field `split`, for a number that is no split.
absl::StatusOr<data::Split> ToSplit(v1::Split split, data::Split otherwise);

// `accuracy.task` is a task's id; the message has its name.
v1::TaskAccuracy ToMessage(const patch::TaskAccuracy& accuracy);

// Whether there are tasks of both kinds, which the trade-off needs.
bool HasBothRoles(const std::vector<patch::TaskAccuracy>& accuracies);

// The three distances, over points in any order. Nothing is set unless there are tasks of both kinds, and α = 0 and α
// = 1.
v1::PatchMetrics TradeOffOf(std::vector<patch::AlphaAccuracies> points);

// 0, 0.05 … 1: where sweeps look unless told.
std::vector<double> DefaultAlphas();

}  // namespace modelpatch::server
