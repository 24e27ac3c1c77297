#include "client/report/chosen.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/text_format.h"
#include "client/report/role_means.h"

namespace modelpatch::client::report {
namespace {

// α comes through decimal options: 0.15 may be 0.15000000000000002.
bool IsSame(double a, double b) { return std::abs(a - b) < 1e-9; }

// Whether one coefficient is for a part of a checkpoint: candidates have none to be told by then, only their objective.
bool IsByGroup(const v1::PatchJobSpec& spec) {
  const v1::CoefficientGroup group = spec.coefficient_search().gradient().group();
  return group == v1::COEFFICIENT_GROUP_BLOCK || group == v1::COEFFICIENT_GROUP_LAYER;
}

bool HasObjective(const v1::PatchJob& job, const v1::SearchCandidate& candidate) {
  const RoleMeans means = MeansOf(candidate.accuracies());
  const bool is_budget = job.spec().alpha_policy().has_budget();
  return IsSame(is_budget ? means.patching.value_or(-1) : means.combined, job.result().search().objective());
}

// 0 for a checkpoint that the chosen mixture left out.
double ChosenCoefficient(const v1::PatchJobResult& result, const std::string& checkpoint) {
  for (const v1::MixtureTerm& term : result.mixture().terms()) {
    if (term.checkpoint() == checkpoint) return term.coefficient();
  }
  return 0;
}

bool IsChosen(const v1::PatchJobResult& result, const v1::SearchCandidate& candidate) {
  if (candidate.coefficients_size() != result.checkpoints_size()) return false;
  for (int i = 0; i < result.checkpoints_size(); ++i) {
    if (!IsSame(ChosenCoefficient(result, result.checkpoints(i)), candidate.coefficients(i))) return false;
  }
  return true;
}

}  // namespace

bool IsOnCurve(const v1::PatchJob& job) {
  const v1::PatchJobSpec& spec = job.spec();
  if (spec.strategy() != v1::STRATEGY_PARALLEL || spec.has_merge()) return true;
  const auto method = spec.coefficient_search().method_case();
  return method == v1::CoefficientSearch::kUniform || method == v1::CoefficientSearch::METHOD_NOT_SET;
}

bool IsChosenAlpha(const v1::PatchJob& job, double alpha) {
  return IsOnCurve(job) && IsSame(alpha, job.result().alpha());
}

const google::protobuf::RepeatedPtrField<v1::TaskAccuracy>* ChosenOnValidation(const v1::PatchJob& job) {
  for (const v1::SweepPoint& point : job.result().points()) {
    if (IsChosenAlpha(job, point.alpha())) return &point.accuracies();
  }
  for (const v1::SearchCandidate& candidate : job.result().search().candidates()) {
    if (IsOnCurve(job)) break;
    const bool is_chosen = IsByGroup(job.spec()) ? HasObjective(job, candidate) : IsChosen(job.result(), candidate);
    if (is_chosen) return &candidate.accuracies();
  }
  return nullptr;
}

std::string ChosenText(const v1::PatchJob& job) {
  const v1::PatchJobResult& result = job.result();
  // A sequence's coefficients are those of steps, each from the one before: its α tell more.
  if (job.spec().strategy() == v1::STRATEGY_SEQUENTIAL && !result.sequence_alphas().empty()) {
    std::string text;
    for (const double alpha : result.sequence_alphas()) absl::StrAppend(&text, text.empty() ? "" : ", ", Number(alpha));
    return absl::StrCat("α = ", text, " in turn");
  }
  if (IsByGroup(job.spec())) {
    const bool is_block = job.spec().coefficient_search().gradient().group() == v1::COEFFICIENT_GROUP_BLOCK;
    return is_block ? "coefficients for each block" : "coefficients for each layer";
  }
  if (result.checkpoints_size() < 2) return absl::StrCat("α = ", Number(result.alpha()));
  std::string text;
  for (const std::string& checkpoint : result.checkpoints()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", absl::StrFormat("%.3g", ChosenCoefficient(result, checkpoint)));
  }
  return absl::StrCat("α = (", text, ")");
}

}  // namespace modelpatch::client::report
