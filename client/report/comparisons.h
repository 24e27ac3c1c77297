// What stands beside a job's result, and what it is called. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client::report {

// The job's comparisons; for a job from before there were any, those that its final accuracies hold.
std::vector<v1::Comparison> ComparisonsOf(const v1::PatchJob& job);

// The first of a kind, and of the number `after` if that is not 0; null if there is none.
const v1::Comparison* FindComparison(const std::vector<v1::Comparison>& comparisons, v1::ComparisonKind kind,
                                     int after = 0);

// What the weights of a comparison are, such as "patched, α = 0.6" or "snapshot at step 200".
std::string ComparisonText(const v1::PatchJob& job, const v1::Comparison& comparison);

// Whether it belongs to the accuracies after each task of a sequence.
bool IsSoFar(v1::ComparisonKind kind);

}  // namespace modelpatch::client::report
