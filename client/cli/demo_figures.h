// What the demo has found, as the JSON of `demo --json`. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client {

struct DemoFigures {
  double alpha = 0;
  double seconds = 0;
  // On test data.
  v1::FinalAccuracy patching;
  v1::FinalAccuracy supported;
  // The curve on test data: the patching task's accuracy first.
  std::vector<v1::SweepPoint> points;
};

// The final accuracies of a job with one patching and one supported task. DATA_LOSS if the result has not got them.
absl::StatusOr<DemoFigures> FiguresOf(const v1::PatchJobResult& result);

// The points of the curve that the final accuracies are: at α = 0, the chosen α and 1, each once, ascending.
std::vector<v1::SweepPoint> MeasuredPoints(const DemoFigures& figures);

// The α among 0.2, 0.4, 0.6 and 0.8 that are not among `points`.
std::vector<double> AlphasBetween(const std::vector<v1::SweepPoint>& points);

// {"alpha", "seconds", "patching_task": {"zero_shot", "patched", "fine_tuned"}, "supported_task": {…},
//  "points": [{"alpha", "patching_task", "supported_task"}, …]}, accuracies in [0, 1] on test data.
std::string FiguresJson(const DemoFigures& figures);

}  // namespace modelpatch::client
