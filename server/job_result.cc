#include "server/job_result.h"

#include <algorithm>
#include <variant>

#include "core/patch/alpha_policy.h"
#include "server/accuracy_conversion.h"
#include "server/job_checkpoints.h"
#include "server/job_graph.h"
#include "server/resource_names.h"

namespace modelpatch::server {
namespace {

v1::ComparisonKind KindMessage(train::ComparisonKind kind) {
  switch (kind) {
    case train::ComparisonKind::kUnpatched:
      return v1::COMPARISON_KIND_UNPATCHED;
    case train::ComparisonKind::kPatched:
      return v1::COMPARISON_KIND_PATCHED;
    case train::ComparisonKind::kFineTuned:
      return v1::COMPARISON_KIND_FINE_TUNED;
    case train::ComparisonKind::kSpecialised:
      return v1::COMPARISON_KIND_SPECIALISED;
    case train::ComparisonKind::kPatchedSoFar:
      return v1::COMPARISON_KIND_PATCHED_SO_FAR;
    case train::ComparisonKind::kFineTunedSoFar:
      return v1::COMPARISON_KIND_FINE_TUNED_SO_FAR;
    case train::ComparisonKind::kSnapshot:
      return v1::COMPARISON_KIND_SNAPSHOT;
    case train::ComparisonKind::kMovingAverage:
      return v1::COMPARISON_KIND_MOVING_AVERAGE;
    case train::ComparisonKind::kAverage:
      return v1::COMPARISON_KIND_AVERAGE;
  }
  return v1::COMPARISON_KIND_UNSPECIFIED;
}

v1::ConfidenceInterval IntervalMessage(const patch::Interval& interval) {
  v1::ConfidenceInterval message;
  message.set_low(interval.low);
  message.set_high(interval.high);
  return message;
}

// Puts the parts of a result together under the names of the job's checkpoints.
class ResultBuilder {
 public:
  ResultBuilder(const v1::PatchJobSpec& spec, const std::vector<store::StepRecord>& steps,
                const train::SearchResult& search, std::map<std::string, std::string> names)
      : spec_(spec), steps_(steps), search_(search), names_(std::move(names)) {}

  absl::StatusOr<v1::PatchJobResult> Build() {
    MP_RETURN_IF_ERROR(AddSequence());
    MP_RETURN_IF_ERROR(AddCheckpoints());
    MP_ASSIGN_OR_RETURN(*result_.mutable_mixture(), Named(search_.terms));
    result_.set_alpha(search_.alpha);
    for (const train::CurvePoint& point : search_.curve) {
      auto* message = result_.add_points();
      message->set_alpha(point.alpha);
      MP_ASSIGN_OR_RETURN(*message->mutable_mixture(), Named(point.terms));
      for (const auto& accuracy : point.accuracies) *message->add_accuracies() = ToMessage(accuracy);
    }
    AddMetrics();
    AddSearch();
    MP_RETURN_IF_ERROR(AddComparisons());
    AddFinalAccuracies();
    return std::move(result_);
  }

 private:
  absl::StatusOr<v1::Mixture> Named(const std::vector<patch::MixtureTerm>& terms) const {
    return NamedMixture(spec_.model(), terms, names_);
  }

  // The α and the tasks of a sequence, and with them which checkpoints are the result's.
  absl::Status AddSequence() {
    for (const store::StepRecord& step : steps_) {
      if (!IsSearchStep(step.name)) continue;
      MP_ASSIGN_OR_RETURN(const train::SearchResult one, train::SearchResultFromJson(step.result));
      blobs_.insert(blobs_.end(), one.blobs.begin(), one.blobs.end());
      if (spec_.strategy() == v1::STRATEGY_SEQUENTIAL) result_.add_sequence_alphas(one.alpha);
      const auto spec = train::StepSpecFromJson(step.spec);
      if (!spec.ok() || !std::holds_alternative<train::SearchSpec>(spec->work)) continue;
      order_ = std::get<train::SearchSpec>(spec->work).patching_tasks;
    }
    return absl::OkStatus();
  }

  // And what their fine-tunings measured beside them.
  absl::Status AddCheckpoints() {
    for (const std::string& blob : blobs_) {
      MP_ASSIGN_OR_RETURN(const v1::Mixture one, Named({{blob, 1.0}}));
      result_.add_checkpoints(one.terms(0).checkpoint());
    }
    for (const store::StepRecord& step : steps_) {
      if (IsSearchStep(step.name)) continue;
      MP_ASSIGN_OR_RETURN(const train::FineTuneResult made, train::FineTuneResultFromJson(step.result));
      for (const MadeCheckpoint& checkpoint : MadeBy(step, made)) {
        const std::string name = ResourceName(kCheckpoints, checkpoint.id);
        const auto& own = result_.checkpoints();
        if (std::find(own.begin(), own.end(), name) == own.end()) result_.add_other_checkpoints(name);
      }
      for (const auto& accuracy : made.learned_head_validation) {
        *result_.add_learned_head_accuracies() = ToMessage(accuracy);
      }
    }
    return absl::OkStatus();
  }

  void AddMetrics() {
    v1::PatchMetrics& metrics = *result_.mutable_metrics();
    if (!search_.curve.empty() && HasBothRoles(search_.curve.front().accuracies)) {
      metrics.set_distance_to_optimal(search_.trade_off.distance_to_optimal);
      metrics.set_distance_to_endpoints(search_.trade_off.distance_to_endpoints);
      metrics.set_path_correction_cost(search_.trade_off.path_correction_cost);
    }
    metrics.set_weight_cosine(search_.weight_cosine);
    metrics.set_weight_mean_absolute_difference(search_.weight_mean_absolute_difference);
    for (const auto& [task, cka] : search_.cka) {
      auto* message = metrics.add_cka();
      message->set_task(ResourceName(kTasks, task));
      message->set_cka(cka);
    }
    for (const patch::ProxyChoice& choice : search_.proxy_choices) {
      auto* message = metrics.add_proxy_choices();
      message->set_chosen_by(ResourceName(kTasks, choice.chosen_by));
      message->set_alpha(choice.alpha);
      message->set_evaluated_on(ResourceName(kTasks, choice.evaluated_on));
      message->set_accuracy(choice.accuracy);
      message->set_cost(choice.cost);
    }
  }

  void AddSearch() {
    const train::SearchTotals& totals = search_.search;
    v1::SearchSummary& summary = *result_.mutable_search();
    summary.set_method(totals.method);
    summary.set_evaluations(static_cast<int32_t>(totals.evaluations));
    summary.set_gradient_evaluations(totals.gradient_evaluations);
    summary.set_seconds(totals.seconds);
    summary.set_objective(totals.objective);
    summary.set_uniform_objective(totals.uniform_objective);
    for (const train::SearchedCandidate& candidate : totals.candidates) {
      auto* message = summary.add_candidates();
      message->mutable_coefficients()->Add(candidate.coefficients.begin(), candidate.coefficients.end());
      for (const auto& accuracy : candidate.accuracies) *message->add_accuracies() = ToMessage(accuracy);
    }
  }

  absl::Status AddComparisons() {
    for (const train::ComparedWeights& compared : search_.comparisons) {
      auto* message = result_.add_comparisons();
      message->set_kind(KindMessage(compared.kind));
      if (compared.kind != train::ComparisonKind::kSpecialised) {
        MP_ASSIGN_OR_RETURN(*message->mutable_mixture(), Named(compared.terms));
      }
      message->set_after(static_cast<int32_t>(compared.after));
      if (compared.after > 0 && static_cast<size_t>(compared.after) <= order_.size()) {
        message->set_after_task(ResourceName(kTasks, order_[static_cast<size_t>(compared.after) - 1].name));
      }
      message->set_training_step(static_cast<int32_t>(compared.training_step));
      for (const auto& accuracy : compared.accuracies) *message->add_accuracies() = ToMessage(accuracy);
      message->set_combined_accuracy(patch::MeanAccuracy(compared.accuracies));
    }
    return absl::OkStatus();
  }

  const train::ComparedWeights* Compared(train::ComparisonKind kind) const {
    const auto found = std::find_if(search_.comparisons.begin(), search_.comparisons.end(),
                                    [kind](const auto& one) { return one.kind == kind; });
    return found == search_.comparisons.end() ? nullptr : &*found;
  }

  // What tells the result on one task.
  void AddFinalAccuracies() {
    const train::ComparedWeights* patched = Compared(train::ComparisonKind::kPatched);
    const train::ComparedWeights* zero_shot = Compared(train::ComparisonKind::kUnpatched);
    const train::ComparedWeights* fine_tuned = Compared(train::ComparisonKind::kFineTuned);
    if (fine_tuned == nullptr && spec_.strategy() == v1::STRATEGY_PARALLEL) {
      fine_tuned = Compared(train::ComparisonKind::kSpecialised);
    }
    if (patched == nullptr || zero_shot == nullptr) return;
    for (size_t i = 0; i < patched->accuracies.size(); ++i) {
      auto* message = result_.add_final_accuracies();
      message->set_task(ResourceName(kTasks, patched->accuracies[i].task));
      message->set_role(ToMessage(patched->accuracies[i].role));
      *message->mutable_zero_shot() = ToMessage(zero_shot->accuracies[i]);
      *message->mutable_patched() = ToMessage(patched->accuracies[i]);
      if (fine_tuned != nullptr) *message->mutable_fine_tuned() = ToMessage(fine_tuned->accuracies[i]);
      if (i < search_.details.size()) AddDetails(search_.details[i], fine_tuned != nullptr, *message);
    }
  }

  static void AddDetails(const train::TaskDetails& details, bool has_fine_tuned, v1::FinalAccuracy& message) {
    *message.mutable_zero_shot_interval() = IntervalMessage(details.zero_shot);
    *message.mutable_patched_interval() = IntervalMessage(details.patched);
    if (has_fine_tuned) *message.mutable_fine_tuned_interval() = IntervalMessage(details.fine_tuned);
    *message.mutable_gain_interval() = IntervalMessage(details.gain);
    for (size_t i = 0; i < details.classes.size(); ++i) {
      auto* one = message.add_classes();
      one->set_class_name(details.class_names[i]);
      one->set_total(static_cast<int32_t>(details.classes[i].total));
      one->set_zero_shot_correct(static_cast<int32_t>(details.classes[i].zero_shot));
      one->set_patched_correct(static_cast<int32_t>(details.classes[i].patched));
      one->set_fine_tuned_correct(static_cast<int32_t>(details.classes[i].fine_tuned));
    }
  }

  const v1::PatchJobSpec& spec_;
  const std::vector<store::StepRecord>& steps_;
  const train::SearchResult& search_;
  const std::map<std::string, std::string> names_;
  // What the searches mixed, and the patching tasks, in the order in which they were taken.
  std::vector<std::string> blobs_;
  std::vector<train::NamedTask> order_;
  v1::PatchJobResult result_;
};

}  // namespace

absl::StatusOr<v1::PatchJobResult> MakeJobResult(const v1::PatchJobSpec& spec,
                                                 const std::vector<store::StepRecord>& steps) {
  if (steps.empty() || !IsSearchStep(steps.back().name)) {
    return base::DataLoss("METADATA_CORRUPT", "the job's last step is no search");
  }
  MP_ASSIGN_OR_RETURN(const train::SearchResult search, train::SearchResultFromJson(steps.back().result));
  MP_ASSIGN_OR_RETURN(auto names, CheckpointNamesByBlob(spec, steps));
  return ResultBuilder(spec, steps, search, std::move(names)).Build();
}

}  // namespace modelpatch::server
