#include "server/patch_planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "core/base/text.h"
#include "core/store/job_state.h"
#include "server/job_messages.h"
#include "server/patch_evaluation.h"
#include "server/record_messages.h"
#include "server/resource_names.h"
#include "server/status_conversion.h"

namespace modelpatch::server {
namespace {

constexpr double kDefaultEpsilonPoints = 1;
constexpr double kMaximumEpsilonPoints = 100;
constexpr int kMaximumBudgets = 100;

absl::Status CheckEpsilon(double epsilon_points) {
  if (epsilon_points >= 0 && epsilon_points <= kMaximumEpsilonPoints) return absl::OkStatus();
  return base::WithField(
      base::InvalidArgument("BAD_EPSILON", fmt::format("epsilon_points is {}; it must lie in [0, {}] percentage points",
                                                       epsilon_points, kMaximumEpsilonPoints)),
      "epsilon_points");
}

absl::Status CheckRequest(const v1::CreatePatchRequest& request) {
  MP_RETURN_IF_ERROR(base::WithField(base::CheckResourceId(request.patch_id()), "patch_id"));
  if (request.has_epsilon_points()) MP_RETURN_IF_ERROR(CheckEpsilon(request.epsilon_points()));
  if (request.budgets_size() > kMaximumBudgets) {
    return base::WithField(
        base::InvalidArgument("TOO_MANY_TASKS", fmt::format("{} budgets are given; at most {} are "
                                                            "allowed",
                                                            request.budgets_size(), kMaximumBudgets)),
        "budgets");
  }
  return absl::OkStatus();
}

bool IsSupported(const v1::PatchEvaluation& evaluation, const std::string& task) {
  return std::any_of(evaluation.accuracies().begin(), evaluation.accuracies().end(), [&](const auto& accuracy) {
    return accuracy.patched().task() == task && accuracy.patched().role() == v1::TASK_ROLE_SUPPORTED;
  });
}

}  // namespace

absl::StatusOr<v1::PatchJob> PatchPlanner::FindJob(const std::string& name) const {
  MP_ASSIGN_OR_RETURN(const std::string id, ParseResourceName(kPatchJobs, name));
  MP_ASSIGN_OR_RETURN(const store::JobRecord record, store_.GetJob(id));
  if (record.state != store::JobState::kSucceeded) {
    return base::FailedPrecondition(
        "JOB_NOT_SUCCEEDED",
        fmt::format("{} is {}; a patch is justified by a job that has SUCCEEDED", name, store::ToString(record.state)));
  }
  MP_ASSIGN_OR_RETURN(const std::vector<store::StepRecord> steps, store_.ListSteps(id));
  return ToMessage(record, steps, std::nullopt);
}

absl::StatusOr<std::string> PatchPlanner::MakerOf(const Resolution& resolution) const {
  std::set<std::string> makers;
  for (const v1::MixtureTerm& term : resolution.message.terms()) {
    MP_ASSIGN_OR_RETURN(const store::CheckpointRecord record, resolver_.FindCheckpoint(term.checkpoint()));
    makers.insert(record.job_id);
  }
  return makers.size() == 1 ? *makers.begin() : std::string();
}

absl::StatusOr<std::optional<v1::PatchEvaluation>> PatchPlanner::FindEvaluation(
    const Resolution& resolution, const std::optional<v1::PatchJob>& asked) const {
  MP_ASSIGN_OR_RETURN(const std::string maker, MakerOf(resolution));
  // A checkpoint may have got the name of one that the job made and somebody deleted.
  const auto measured = [&](const v1::PatchJob& job) -> std::optional<v1::PatchEvaluation> {
    const bool own = job.name() == ResourceName(kPatchJobs, maker);
    const bool same_model = job.lineage().model_digest() == resolution.model.digest;
    return own && same_model ? EvaluationAt(job, resolution.message) : std::nullopt;
  };
  if (asked.has_value()) {
    auto evaluation = measured(*asked);
    if (evaluation.has_value()) return evaluation;
    return base::WithField(
        base::FailedPrecondition(
            "MIXTURE_NOT_MEASURED",
            fmt::format("{} has not measured this mixture; give a mixture of its own checkpoint at an α of its curve, "
                        "or none for the one that it chose",
                        asked->name())),
        "patch_job");
  }
  if (maker.empty()) return std::optional<v1::PatchEvaluation>();
  const auto job = FindJob(ResourceName(kPatchJobs, maker));
  if (job.ok()) return measured(*job);
  const bool is_gone =
      job.status().code() == absl::StatusCode::kNotFound || base::ReasonOf(job.status()) == "JOB_NOT_SUCCEEDED";
  if (!is_gone) return job.status();
  return std::optional<v1::PatchEvaluation>();
}

absl::Status PatchPlanner::AddBudgets(const v1::CreatePatchRequest& request, v1::PatchVersion& details) const {
  std::set<std::string> named;
  for (int i = 0; i < request.budgets_size(); ++i) {
    const v1::TaskBudget& budget = request.budgets(i);
    const std::string field = fmt::format("budgets[{}]", i);
    MP_RETURN_IF_ERROR(base::WithField(CheckEpsilon(budget.epsilon_points()), field));
    if (!named.insert(budget.task()).second) {
      return base::WithField(
          base::InvalidArgument("DUPLICATE_TASK",
                                fmt::format("'{}' is given two budgets; give it one", base::Printable(budget.task()))),
          field + ".task");
    }
    if (!IsSupported(details.evaluation(), budget.task())) {
      const auto id = ParseResourceName(kTasks, budget.task());
      const absl::Status known = id.ok() ? store_.GetTask(*id).status() : id.status();
      if (!known.ok()) return base::WithField(known, field + ".task");
    }
    *details.add_budgets() = budget;
  }
  for (const v1::PatchAccuracy& accuracy : details.evaluation().accuracies()) {
    if (accuracy.patched().role() != v1::TASK_ROLE_SUPPORTED) continue;
    if (!named.insert(accuracy.patched().task()).second) continue;
    v1::TaskBudget& budget = *details.add_budgets();
    budget.set_task(accuracy.patched().task());
    budget.set_epsilon_points(request.has_epsilon_points() ? request.epsilon_points() : kDefaultEpsilonPoints);
  }
  return absl::OkStatus();
}

absl::StatusOr<store::PatchVersionRecord> PatchPlanner::Plan(const v1::CreatePatchRequest& request,
                                                             base::WallTime now) const {
  MP_RETURN_IF_ERROR(CheckRequest(request));
  std::optional<v1::PatchJob> job;
  if (!request.patch_job().empty()) {
    auto found = FindJob(request.patch_job());
    if (!found.ok()) return base::WithField(found.status(), "patch_job");
    job = *std::move(found);
  }
  const bool from_job = job.has_value() && !request.has_mixture();
  const v1::Mixture& mixture = from_job ? job->result().mixture() : request.mixture();
  if (mixture.terms().empty()) {
    return base::WithField(
        base::InvalidArgument("NO_TERMS",
                              "the mixture has no term; name at least one checkpoint and its coefficient, or the "
                              "patch job whose choice it shall be"),
        "mixture.terms");
  }
  const auto resolution = resolver_.Resolve(mixture);
  if (!resolution.ok() && from_job) return AtField(resolution.status(), "patch_job");
  if (!resolution.ok()) return base::WithField(resolution.status(), "mixture");

  v1::PatchVersion details;
  details.mutable_weights()->set_model_digest(resolution->model.digest);
  MP_ASSIGN_OR_RETURN(auto evaluation, FindEvaluation(*resolution, job));
  if (evaluation.has_value()) *details.mutable_evaluation() = *std::move(evaluation);
  MP_RETURN_IF_ERROR(AddBudgets(request, details));

  store::PatchVersionRecord record;
  record.patch_id = request.patch_id();
  record.model_id = resolution->model.id;
  for (const v1::ResolvedTerm& term : resolution->weights.terms()) {
    MP_ASSIGN_OR_RETURN(std::string checkpoint, ParseResourceName(kCheckpoints, term.checkpoint()));
    record.terms.push_back({std::move(checkpoint), term.blob_digest(), term.coefficient()});
  }
  record.allow_extrapolation = mixture.allow_extrapolation();
  record.details_json = ToRecordJson(details);
  record.create_time = now;
  return record;
}

}  // namespace modelpatch::server
