// Finished patch jobs as a server would answer them, with made-up numbers, for tests of reports.
#pragma once

#include <string>

#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::testing {

// One patching task `digits` and two supported ones; α = 0.6 of 0, 0.1 … 1 was chosen. Accuracies on test data have
// intervals and classes.
v1::PatchJob SingleJob(const std::string& name);

// Two patching tasks, `digits` and `signs`, one after the other; with the accuracies after each, and without
// interpolation.
v1::PatchJob SequentialJob(const std::string& name);

// Two patching tasks, `digits` and `signs`, and their coefficients by a search: `uniform`, `exhaustive` or `gradient`.
v1::PatchJob ParallelJob(const std::string& name, const std::string& method);

// An accuracy out of 1,000 examples.
v1::TaskAccuracy AccuracyOf(const std::string& task, v1::TaskRole role, v1::Split split, double accuracy);

}  // namespace modelpatch::testing
