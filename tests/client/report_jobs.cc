#include "tests/client/report_jobs.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"

namespace modelpatch::testing {
namespace {

constexpr double kExamples = 1000;

struct TaskCurve {
  std::string task;
  v1::TaskRole role;
  // Accuracies at α = 0 and 1.
  double before;
  double after;

  double At(double alpha) const {
    // Patching tasks gain early, supported ones lose late.
    const double part = role == v1::TASK_ROLE_PATCHING ? 1 - (1 - alpha) * (1 - alpha) : alpha * alpha;
    return before + part * (after - before);
  }
};

using TaskCurves = std::vector<TaskCurve>;

void FillAccuracies(const TaskCurves& curves, double alpha, v1::Split split,
                    google::protobuf::RepeatedPtrField<v1::TaskAccuracy>& accuracies) {
  for (const TaskCurve& curve : curves) *accuracies.Add() = AccuracyOf(curve.task, curve.role, split, curve.At(alpha));
}

double CombinedOf(const TaskCurves& curves, double alpha) {
  double sum[2] = {0, 0};
  double count[2] = {0, 0};
  for (const TaskCurve& curve : curves) {
    const int kind = curve.role == v1::TASK_ROLE_PATCHING ? 0 : 1;
    sum[kind] += AccuracyOf(curve.task, curve.role, v1::SPLIT_TEST, curve.At(alpha)).accuracy();
    count[kind] += 1;
  }
  return (sum[0] / count[0] + sum[1] / count[1]) / 2;
}

v1::Comparison& AddComparison(v1::PatchJobResult& result, v1::ComparisonKind kind, const TaskCurves& curves,
                              double alpha) {
  v1::Comparison& comparison = *result.add_comparisons();
  comparison.set_kind(kind);
  FillAccuracies(curves, alpha, v1::SPLIT_TEST, *comparison.mutable_accuracies());
  comparison.set_combined_accuracy(CombinedOf(curves, alpha));
  return comparison;
}

void FillInterval(const v1::TaskAccuracy& accuracy, v1::ConfidenceInterval& interval) {
  interval.set_low(std::max(0.0, accuracy.accuracy() - 0.02));
  interval.set_high(std::min(1.0, accuracy.accuracy() + 0.02));
}

void AddFinal(const TaskCurve& curve, double alpha, v1::PatchJobResult& result) {
  v1::FinalAccuracy& final = *result.add_final_accuracies();
  final.set_task(curve.task);
  final.set_role(curve.role);
  *final.mutable_zero_shot() = AccuracyOf(curve.task, curve.role, v1::SPLIT_TEST, curve.At(0));
  *final.mutable_patched() = AccuracyOf(curve.task, curve.role, v1::SPLIT_TEST, curve.At(alpha));
  *final.mutable_fine_tuned() = AccuracyOf(curve.task, curve.role, v1::SPLIT_TEST, curve.At(1));
  FillInterval(final.zero_shot(), *final.mutable_zero_shot_interval());
  FillInterval(final.patched(), *final.mutable_patched_interval());
  FillInterval(final.fine_tuned(), *final.mutable_fine_tuned_interval());
  const double gain = final.patched().accuracy() - final.zero_shot().accuracy();
  final.mutable_gain_interval()->set_low(gain - 0.01);
  final.mutable_gain_interval()->set_high(gain + 0.01);
  for (int i = 0; i < 4; ++i) {
    v1::ClassAccuracy& one = *final.add_classes();
    one.set_class_name(absl::StrCat("class ", i));
    one.set_total(250);
    one.set_zero_shot_correct(100);
    // The first two gain, the third stays, the last loses.
    one.set_patched_correct(100 + std::vector<int>{100, 50, 0, -20}[static_cast<size_t>(i)]);
    one.set_fine_tuned_correct(120);
  }
}

void FillMetrics(v1::PatchMetrics& metrics) {
  metrics.set_distance_to_optimal(0.0125);
  metrics.set_distance_to_endpoints(-0.03);
  metrics.set_path_correction_cost(0);
  metrics.set_weight_cosine(0.9987);
  metrics.set_weight_mean_absolute_difference(0.00042);
  v1::TaskCka& cka = *metrics.add_cka();
  cka.set_task("tasks/colors");
  cka.set_cka(0.97);
  v1::ProxyChoice& choice = *metrics.add_proxy_choices();
  choice.set_chosen_by("tasks/colors");
  choice.set_alpha(0.7);
  choice.set_evaluated_on("tasks/shapes");
  choice.set_accuracy(0.81);
  choice.set_cost(0.004);
}

// What all jobs have.
v1::PatchJob BaseJob(const std::string& name, v1::Strategy strategy, const TaskCurves& curves) {
  v1::PatchJob job;
  job.set_name(absl::StrCat("patchJobs/", name));
  job.set_state(v1::PATCH_JOB_STATE_SUCCEEDED);
  job.mutable_start_time()->set_seconds(1'700'000'000);
  job.mutable_end_time()->set_seconds(1'700'000'090);
  job.mutable_lineage()->set_model_digest("0123abcd");
  job.mutable_lineage()->set_code_version("0.1.0");
  v1::PatchJobSpec& spec = *job.mutable_spec();
  spec.set_model("models/tiny");
  spec.set_strategy(strategy);
  spec.mutable_alpha_policy()->mutable_mean();
  spec.mutable_fine_tune()->set_steps(300);
  spec.mutable_fine_tune()->set_learning_rate(3e-4);
  spec.mutable_fine_tune()->set_seed(1);
  for (const TaskCurve& curve : curves) {
    (curve.role == v1::TASK_ROLE_PATCHING ? spec.add_patching_tasks() : spec.add_supported_tasks())->assign(curve.task);
  }
  for (int i = 0; i <= 10; ++i) {
    spec.add_alphas(i / 10.0);
    v1::SweepPoint& point = *job.mutable_result()->add_points();
    point.set_alpha(i / 10.0);
    FillAccuracies(curves, i / 10.0, v1::SPLIT_VALIDATION, *point.mutable_accuracies());
  }
  FillMetrics(*job.mutable_result()->mutable_metrics());
  return job;
}

void AddCheckpoint(const std::string& checkpoint, double coefficient, v1::PatchJobResult& result) {
  result.add_checkpoints(absl::StrCat("checkpoints/", checkpoint));
  v1::MixtureTerm& term = *result.mutable_mixture()->add_terms();
  term.set_checkpoint(absl::StrCat("checkpoints/", checkpoint));
  term.set_coefficient(coefficient);
}

TaskCurves SupportedCurves() {
  return {{"tasks/colors", v1::TASK_ROLE_SUPPORTED, 0.95, 0.80}, {"tasks/shapes", v1::TASK_ROLE_SUPPORTED, 0.90, 0.70}};
}

TaskCurves CurvesOf(const std::vector<std::string>& patching_tasks) {
  TaskCurves curves;
  for (const std::string& task : patching_tasks)
    curves.push_back({absl::StrCat("tasks/", task), v1::TASK_ROLE_PATCHING, 0.4, 0.9});
  for (const TaskCurve& curve : SupportedCurves()) curves.push_back(curve);
  return curves;
}

}  // namespace

v1::TaskAccuracy AccuracyOf(const std::string& task, v1::TaskRole role, v1::Split split, double accuracy) {
  v1::TaskAccuracy result;
  result.set_task(task);
  result.set_role(role);
  result.set_split(split);
  result.set_total(static_cast<int>(kExamples));
  result.set_correct(static_cast<int>(std::lround(accuracy * kExamples)));
  result.set_accuracy(result.correct() / kExamples);
  return result;
}

v1::PatchJob SingleJob(const std::string& name) {
  const TaskCurves curves = CurvesOf({"digits"});
  v1::PatchJob job = BaseJob(name, v1::STRATEGY_SINGLE, curves);
  v1::PatchJobResult& result = *job.mutable_result();
  result.set_alpha(0.6);
  AddCheckpoint(name, 0.6, result);
  for (const TaskCurve& curve : curves) AddFinal(curve, 0.6, result);
  AddComparison(result, v1::COMPARISON_KIND_UNPATCHED, curves, 0);
  AddComparison(result, v1::COMPARISON_KIND_PATCHED, curves, 0.6);
  AddComparison(result, v1::COMPARISON_KIND_FINE_TUNED, curves, 1);
  for (int i = 1; i <= 2; ++i) {
    AddComparison(result, v1::COMPARISON_KIND_SNAPSHOT, curves, 0.4 * i).set_training_step(100 * i);
  }
  AddComparison(result, v1::COMPARISON_KIND_MOVING_AVERAGE, curves, 0.75);
  result.mutable_search()->set_method("line");
  result.mutable_search()->set_evaluations(11);
  result.mutable_search()->set_seconds(12.5);
  return job;
}

v1::PatchJob SequentialJob(const std::string& name) {
  const TaskCurves curves = CurvesOf({"digits", "signs"});
  v1::PatchJob job = BaseJob(name, v1::STRATEGY_SEQUENTIAL, curves);
  v1::PatchJobResult& result = *job.mutable_result();
  result.set_alpha(0.5);
  result.add_sequence_alphas(0.7);
  result.add_sequence_alphas(0.5);
  AddCheckpoint("digits", 0.35, result);
  AddCheckpoint("signs", 0.5, result);
  for (const TaskCurve& curve : curves) AddFinal(curve, 0.5, result);
  AddComparison(result, v1::COMPARISON_KIND_UNPATCHED, curves, 0);
  AddComparison(result, v1::COMPARISON_KIND_PATCHED, curves, 0.6);
  AddComparison(result, v1::COMPARISON_KIND_FINE_TUNED, curves, 1);
  AddComparison(result, v1::COMPARISON_KIND_SPECIALISED, curves, 0.8);
  const std::vector<std::string> tasks = {"tasks/digits", "tasks/signs"};
  for (int after = 1; after <= 2; ++after) {
    for (const auto kind : {v1::COMPARISON_KIND_PATCHED_SO_FAR, v1::COMPARISON_KIND_FINE_TUNED_SO_FAR}) {
      const double alpha = (kind == v1::COMPARISON_KIND_PATCHED_SO_FAR ? 0.3 : 0.5) * after;
      v1::Comparison& comparison = AddComparison(result, kind, curves, alpha);
      comparison.set_after(after);
      comparison.set_after_task(tasks[static_cast<size_t>(after - 1)]);
    }
  }
  return job;
}

v1::PatchJob ParallelJob(const std::string& name, const std::string& method) {
  const TaskCurves curves = CurvesOf({"digits", "signs"});
  v1::PatchJob job = BaseJob(name, v1::STRATEGY_PARALLEL, curves);
  v1::CoefficientSearch& options = *job.mutable_spec()->mutable_coefficient_search();
  v1::PatchJobResult& result = *job.mutable_result();
  v1::SearchSummary& search = *result.mutable_search();
  search.set_method(method);
  const auto add = [&](double first, double second, double alpha) {
    v1::SearchCandidate& candidate = *search.add_candidates();
    candidate.add_coefficients(first);
    candidate.add_coefficients(second);
    FillAccuracies(curves, alpha, v1::SPLIT_VALIDATION, *candidate.mutable_accuracies());
  };
  for (int i = 0; i <= 10; ++i) add(i / 20.0, i / 20.0, i / 20.0);
  const bool is_uniform = method == "uniform";
  if (!is_uniform) add(0.3, 0.6, 0.65);
  search.set_evaluations(search.candidates_size());
  search.set_uniform_objective(0.75);
  search.set_objective(is_uniform ? 0.75 : method == "gradient" ? 0.788 : 0.79);
  if (method == "gradient") {
    search.set_gradient_evaluations(4.5);
    options.mutable_gradient()->set_seed(3);
  } else if (is_uniform) {
    options.mutable_uniform();
  } else {
    options.mutable_exhaustive();
  }
  result.set_alpha(is_uniform ? 0.5 : 1);
  AddCheckpoint("digits", is_uniform ? 0.25 : 0.3, result);
  AddCheckpoint("signs", is_uniform ? 0.25 : 0.6, result);
  for (const TaskCurve& curve : curves) AddFinal(curve, is_uniform ? 0.5 : 0.65, result);
  AddComparison(result, v1::COMPARISON_KIND_UNPATCHED, curves, 0);
  AddComparison(result, v1::COMPARISON_KIND_PATCHED, curves, is_uniform ? 0.5 : 0.65);
  AddComparison(result, v1::COMPARISON_KIND_SPECIALISED, curves, 0.8);
  AddComparison(result, v1::COMPARISON_KIND_AVERAGE, curves, 1);
  return job;
}

}  // namespace modelpatch::testing
