#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "client/report/bars.h"
#include "client/report/comparisons.h"
#include "client/report/figures.h"
#include "client/report/role_means.h"

namespace modelpatch::client::report {
namespace {

constexpr size_t kMostRows = 24;

struct Means {
  std::vector<double> patching, supported, combined;
};

Bar BarOf(const std::vector<double>& values) {
  if (values.empty()) return {NAN, 0, 0};
  double sum = 0;
  for (const double value : values) sum += value;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return {sum / static_cast<double>(values.size()) * 100, *least * 100, *most * 100};
}

// The means of one kind of comparison, one for each job that has it.
Means Collect(const JobPointers& jobs, v1::ComparisonKind kind) {
  Means result;
  for (const ReportJob* job : jobs) {
    const std::vector<v1::Comparison> comparisons = ComparisonsOf(job->job);
    const v1::Comparison* comparison = FindComparison(comparisons, kind);
    if (comparison == nullptr) continue;
    const RoleMeans means = MeansOf(comparison->accuracies());
    if (means.patching) result.patching.push_back(*means.patching);
    if (means.supported) result.supported.push_back(*means.supported);
    result.combined.push_back(comparison->combined_accuracy());
  }
  return result;
}

void AddRow(const std::string& name, const Means& means, std::vector<BarRow>& rows) {
  if (means.combined.empty()) return;
  rows.push_back({name, {BarOf(means.patching), BarOf(means.supported), BarOf(means.combined)}});
}

}  // namespace

std::optional<Figure> StrategyFigure(const JobPointers& jobs) {
  std::vector<BarRow> rows;
  AddRow("unpatched", Collect(jobs, v1::COMPARISON_KIND_UNPATCHED), rows);
  AddRow("specialised models, one a task", Collect(jobs, v1::COMPARISON_KIND_SPECIALISED), rows);
  const std::vector<Variant> variants = VariantsOf(jobs);
  size_t patched = 0;
  bool has_seeds = false;
  // Searches over the same checkpoints have the same average.
  bool has_average = false;
  for (const Variant& variant : variants) {
    if (rows.size() >= kMostRows) break;
    AddRow(variant.label, Collect(variant.jobs, v1::COMPARISON_KIND_PATCHED), rows);
    AddRow(absl::StrCat(variant.label, ", no interpolation"), Collect(variant.jobs, v1::COMPARISON_KIND_FINE_TUNED),
           rows);
    if (!has_average) {
      const Means average = Collect(variant.jobs, v1::COMPARISON_KIND_AVERAGE);
      has_average = !average.combined.empty();
      AddRow("average of the fine-tuned models", average, rows);
    }
    ++patched;
    has_seeds = has_seeds || variant.jobs.size() > 1;
  }
  const bool has_several_tasks = jobs.front()->job.spec().patching_tasks_size() > 1;
  if (rows.size() < 2 || (variants.size() < 2 && !has_several_tasks)) return std::nullopt;
  Figure figure;
  figure.title = "Ways to patch, side by side";
  figure.caption =
      "Means over patching tasks and over supported tasks, and combined accuracy (the mean of both), on test data.";
  if (has_seeds)
    absl::StrAppend(&figure.caption, " Bars are means over jobs that differ in their seeds, whiskers their range.");
  if (patched < variants.size()) absl::StrAppend(&figure.caption, " Shown are the first ", patched, " variants.");
  figure.script = BarScript({"patching tasks", "supported tasks", "combined"}, rows, "Accuracy, test data (%)");
  return figure;
}

}  // namespace modelpatch::client::report
