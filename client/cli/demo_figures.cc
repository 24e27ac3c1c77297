#include "client/cli/demo_figures.h"

#include <nlohmann/json.hpp>

namespace modelpatch::client {
namespace {

using Json = nlohmann::ordered_json;

Json TaskJson(const v1::FinalAccuracy& accuracy) {
  return {{"zero_shot", accuracy.zero_shot().accuracy()},
          {"patched", accuracy.patched().accuracy()},
          {"fine_tuned", accuracy.fine_tuned().accuracy()}};
}

}  // namespace

absl::StatusOr<DemoFigures> FiguresOf(const v1::PatchJobResult& result) {
  DemoFigures figures;
  figures.alpha = result.alpha();
  bool patching = false;
  bool supported = false;
  for (const v1::FinalAccuracy& accuracy : result.final_accuracies()) {
    if (accuracy.role() == v1::TASK_ROLE_PATCHING) {
      figures.patching = accuracy;
      patching = true;
    } else if (accuracy.role() == v1::TASK_ROLE_SUPPORTED) {
      figures.supported = accuracy;
      supported = true;
    }
  }
  if (!patching || !supported) return absl::DataLossError("the job's result lacks the accuracies on test data");
  return figures;
}

std::string FiguresJson(const DemoFigures& figures) {
  Json points = Json::array();
  for (const v1::SweepPoint& point : figures.points) {
    Json one = {{"alpha", point.alpha()}};
    for (const v1::TaskAccuracy& accuracy : point.accuracies()) {
      one[accuracy.role() == v1::TASK_ROLE_PATCHING ? "patching_task" : "supported_task"] = accuracy.accuracy();
    }
    points.push_back(std::move(one));
  }
  const Json document = {{"alpha", figures.alpha},
                         {"seconds", figures.seconds},
                         {"patching_task", TaskJson(figures.patching)},
                         {"supported_task", TaskJson(figures.supported)},
                         {"points", std::move(points)}};
  return document.dump(2) + "\n";
}

}  // namespace modelpatch::client
