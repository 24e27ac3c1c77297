#include "server/patch_evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/patch/budget.h"
#include "server/measured_accuracies.h"

namespace modelpatch::server {
namespace {

// The message travels in a header of a few kilobytes.
constexpr size_t kTasksToName = 10;

const v1::PatchAccuracy* FindAccuracy(const v1::PatchEvaluation& evaluation, const std::string& task) {
  const v1::PatchAccuracy* found = nullptr;
  for (const v1::PatchAccuracy& accuracy : evaluation.accuracies()) {
    if (accuracy.patched().task() != task) continue;
    if (accuracy.patched().split() == v1::SPLIT_TEST) return &accuracy;
    found = &accuracy;
  }
  return found;
}

std::string Listed(const std::vector<std::string>& entries) {
  std::string text;
  for (size_t i = 0; i < std::min(entries.size(), kTasksToName); ++i) text += (i == 0 ? "" : ", ") + entries[i];
  if (entries.size() > kTasksToName) text += fmt::format(", and {} more", entries.size() - kTasksToName);
  return text;
}

std::string LossText(const v1::PatchAccuracy& accuracy, double epsilon_points) {
  const v1::TaskAccuracy& before = accuracy.zero_shot();
  const v1::TaskAccuracy& after = accuracy.patched();
  return fmt::format("{} loses {:.2f} points ({:.2f} % to {:.2f} % of {} {} images; budget {:g})", after.task(),
                     100 * (before.accuracy() - after.accuracy()), 100 * before.accuracy(), 100 * after.accuracy(),
                     after.total(), after.split() == v1::SPLIT_TEST ? "test" : "validation", epsilon_points);
}

}  // namespace

std::optional<v1::PatchEvaluation> EvaluationAt(const v1::PatchJob& job, const v1::Mixture& mixture) {
  v1::PatchEvaluation evaluation;
  evaluation.set_patch_job(job.name());
  *evaluation.mutable_tasks() = job.lineage().tasks();
  const std::vector<v1::TaskAccuracy> at_zero = MeasuredAt(job.result(), v1::Mixture());
  for (const v1::TaskAccuracy& patched : MeasuredAt(job.result(), mixture)) {
    const auto zero_shot = std::find_if(at_zero.begin(), at_zero.end(), [&](const v1::TaskAccuracy& one) {
      return one.task() == patched.task() && one.split() == patched.split();
    });
    if (zero_shot == at_zero.end() || patched.total() == 0) continue;
    v1::PatchAccuracy& accuracy = *evaluation.add_accuracies();
    *accuracy.mutable_zero_shot() = *zero_shot;
    *accuracy.mutable_patched() = patched;
  }
  if (evaluation.accuracies().empty()) return std::nullopt;
  return evaluation;
}

absl::Status CheckBudgets(const v1::PatchVersion& version) {
  constexpr std::string_view kWayOut =
      "promote another version, or set override_budget and give the reason why it shall be promoted nevertheless";
  if (!version.has_evaluation()) {
    return base::FailedPrecondition(
        "PATCH_NOT_EVALUATED",
        fmt::format("{} was never evaluated; make a version of a mixture that a patch job has measured, {}",
                    version.name(), kWayOut));
  }
  std::vector<std::string> over;
  std::vector<std::string> unknown;
  for (const v1::TaskBudget& budget : version.budgets()) {
    const v1::PatchAccuracy* accuracy = FindAccuracy(version.evaluation(), budget.task());
    if (accuracy == nullptr) {
      unknown.push_back(budget.task());
      continue;
    }
    const int64_t lost = int64_t{accuracy->zero_shot().correct()} - accuracy->patched().correct();
    if (!patch::IsWithinBudget(lost, accuracy->patched().total(), budget.epsilon_points())) {
      over.push_back(LossText(*accuracy, budget.epsilon_points()));
    }
  }
  if (over.empty() && unknown.empty()) return absl::OkStatus();
  const std::string not_evaluated =
      unknown.empty() ? "" : fmt::format("it was not evaluated on {}, which it has a budget for", Listed(unknown));
  if (over.empty()) {
    return base::FailedPrecondition("PATCH_NOT_EVALUATED",
                                    fmt::format("{}: {}; {}", version.name(), not_evaluated, kWayOut));
  }
  return base::FailedPrecondition("PATCH_OVER_BUDGET",
                                  fmt::format("{} is over its budget: {}{}{}; {}", version.name(), Listed(over),
                                              unknown.empty() ? "" : "; ", not_evaluated, kWayOut));
}

}  // namespace modelpatch::server
