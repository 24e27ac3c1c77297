#include "client/cli/demo_figures.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace modelpatch::client {
namespace {

using Json = nlohmann::ordered_json;

Json TaskJson(const v1::FinalAccuracy& accuracy) {
  return {{"zero_shot", accuracy.zero_shot().accuracy()},
          {"patched", accuracy.patched().accuracy()},
          {"fine_tuned", accuracy.fine_tuned().accuracy()}};
}

bool HasAlpha(const std::vector<v1::SweepPoint>& points, double alpha) {
  return std::any_of(points.begin(), points.end(),
                     [&](const v1::SweepPoint& point) { return std::abs(point.alpha() - alpha) < 1e-9; });
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

std::vector<v1::SweepPoint> MeasuredPoints(const DemoFigures& figures) {
  std::vector<v1::SweepPoint> points;
  const auto add = [&](double alpha, const v1::TaskAccuracy& (v1::FinalAccuracy::*accuracy)() const) {
    if (HasAlpha(points, alpha)) return;
    v1::SweepPoint& point = points.emplace_back();
    point.set_alpha(alpha);
    for (const v1::FinalAccuracy* final : {&figures.patching, &figures.supported}) {
      v1::TaskAccuracy& added = *point.add_accuracies();
      added = (final->*accuracy)();
      added.set_task(final->task());
      added.set_role(final->role());
    }
  };
  add(0, &v1::FinalAccuracy::zero_shot);
  add(1, &v1::FinalAccuracy::fine_tuned);
  add(figures.alpha, &v1::FinalAccuracy::patched);
  std::sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.alpha() < b.alpha(); });
  return points;
}

std::vector<double> AlphasBetween(const std::vector<v1::SweepPoint>& points) {
  std::vector<double> alphas;
  for (const double alpha : {0.2, 0.4, 0.6, 0.8}) {
    if (!HasAlpha(points, alpha)) alphas.push_back(alpha);
  }
  return alphas;
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
