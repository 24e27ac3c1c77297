#include "core/patch/proxy_choice.h"

#include <utility>

namespace modelpatch::patch {
namespace {

// The points with the patching tasks and the supported task at `place` alone.
std::vector<AlphaAccuracies> WithOneSupported(std::span<const AlphaAccuracies> points, size_t place) {
  std::vector<AlphaAccuracies> kept;
  for (const AlphaAccuracies& point : points) {
    AlphaAccuracies one{point.alpha, {}};
    for (size_t i = 0; i < point.accuracies.size(); ++i) {
      if (i == place || point.accuracies[i].role == TaskRole::kPatching) one.accuracies.push_back(point.accuracies[i]);
    }
    kept.push_back(std::move(one));
  }
  return kept;
}

}  // namespace

std::vector<ProxyChoice> ComputeProxyChoices(std::span<const AlphaAccuracies> points) {
  if (points.empty()) return {};
  struct Supported {
    std::string task;
    size_t place;
    std::vector<AlphaAccuracies> points;
    size_t chosen;
  };
  std::vector<Supported> supported;
  for (size_t i = 0; i < points.front().accuracies.size(); ++i) {
    const TaskAccuracy& accuracy = points.front().accuracies[i];
    if (accuracy.role != TaskRole::kSupported) continue;
    std::vector<AlphaAccuracies> kept = WithOneSupported(points, i);
    const auto chosen = ChooseAlpha(kept, AlphaPolicy::kMean, 0);
    if (!chosen.ok()) return {};  // for no points alone
    supported.push_back({accuracy.task, i, std::move(kept), *chosen});
  }
  std::vector<ProxyChoice> choices;
  for (const Supported& by : supported) {
    for (const Supported& on : supported) {
      if (&by == &on) continue;
      const double best = MeanAccuracy(on.points[on.chosen].accuracies);
      const double found = MeanAccuracy(on.points[by.chosen].accuracies);
      // Points that tie may differ by rounding.
      choices.push_back({by.task, points[by.chosen].alpha, on.task, points[by.chosen].accuracies[on.place].accuracy(),
                         IsBetterScore(best, found) ? best - found : 0.0});
    }
  }
  return choices;
}

}  // namespace modelpatch::patch
