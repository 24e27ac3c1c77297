// α curves and accuracies as tables and plots. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client {

// ½ (mean over patching tasks + mean over supported tasks), or the one mean if there are no tasks of the other role.
double MeanAccuracy(const v1::SweepPoint& point);

// One line for each α, one column for each task, the mean last. A `*` stands beside the chosen α, if there is one.
std::string CurveTable(const std::vector<v1::SweepPoint>& points, std::optional<double> chosen);

// The same as curves, with a line at the chosen α.
std::string CurvePlot(const std::vector<v1::SweepPoint>& points, std::optional<double> chosen, bool unicode);

// One line for each task: accuracy, correct of total.
std::string AccuracyTable(const std::vector<v1::TaskAccuracy>& accuracies);

// One line for each task on test data: zero-shot, patched and the gain, fine-tuned and the gain.
std::string FinalTable(const v1::PatchJobResult& result);

// The points of a repeated field.
template <typename Repeated>
auto ToVector(const Repeated& values) {
  return std::vector<typename Repeated::value_type>(values.begin(), values.end());
}

}  // namespace modelpatch::client
