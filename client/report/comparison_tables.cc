#include "client/report/comparison_tables.h"

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/text_format.h"
#include "client/report/comparisons.h"
#include "client/report/role_means.h"
#include "client/report/variant.h"

namespace modelpatch::client::report {
namespace {

DataCell Cell(const std::optional<double>& value) { return value ? DataCell(*value) : DataCell(); }

std::string PercentOrNothing(const std::optional<double>& value) { return value ? Percent(*value) : ""; }

// The means of a comparison, three cells; empty ones without it.
void AddMeans(const v1::Comparison* comparison, std::vector<std::string>& cells) {
  if (comparison == nullptr) {
    cells.insert(cells.end(), 3, "");
    return;
  }
  const RoleMeans means = MeansOf(comparison->accuracies());
  cells.push_back(PercentOrNothing(means.patching));
  cells.push_back(PercentOrNothing(means.supported));
  cells.push_back(Percent(comparison->combined_accuracy()));
}

}  // namespace

DataTable ComparisonData(const std::vector<ReportJob>& jobs) {
  DataTable table{
      "comparisons",
      {"job", "strategy", "search", "seed", "kind", "after", "after_task", "training_step", "mixture",
       "combined_accuracy", "patching_mean", "supported_mean", "task", "role", "split", "accuracy", "correct", "total"},
      {}};
  for (const ReportJob& job : jobs) {
    const v1::PatchJobSpec& spec = job.job.spec();
    for (const v1::Comparison& comparison : ComparisonsOf(job.job)) {
      const RoleMeans means = MeansOf(comparison.accuracies());
      for (const v1::TaskAccuracy& accuracy : comparison.accuracies()) {
        table.rows.push_back({job.label, StrategyName(spec.strategy()), SearchText(spec), SeedOf(spec),
                              KindName(comparison.kind()), int64_t{comparison.after()}, comparison.after_task(),
                              int64_t{comparison.training_step()}, MixtureText(comparison.mixture()),
                              comparison.combined_accuracy(), Cell(means.patching), Cell(means.supported),
                              accuracy.task(), RoleName(accuracy.role()), SplitName(accuracy.split()),
                              accuracy.accuracy(), int64_t{accuracy.correct()}, int64_t{accuracy.total()}});
      }
    }
  }
  return table;
}

DisplayTable ComparisonTable(const v1::PatchJob& job) {
  DisplayTable table;
  const std::vector<v1::Comparison> comparisons = ComparisonsOf(job);
  if (comparisons.empty()) return table;
  const auto& tasks = comparisons.front().accuracies();
  table.columns = {{"weights"}};
  for (const v1::TaskAccuracy& task : tasks) {
    table.columns.push_back({absl::StrCat(ShortName(task.task()), " (", RoleName(task.role()), ")"), true});
  }
  for (const char* mean : {"patching mean", "supported mean", "combined"}) table.columns.push_back({mean, true});
  for (const v1::Comparison& comparison : comparisons) {
    if (IsSoFar(comparison.kind())) continue;
    DisplayRow row{{ComparisonText(job, comparison)}, comparison.kind() == v1::COMPARISON_KIND_PATCHED};
    for (const v1::TaskAccuracy& task : tasks) {
      const v1::TaskAccuracy* accuracy = FindTask(comparison.accuracies(), task.task());
      row.cells.push_back(accuracy == nullptr ? "" : Percent(accuracy->accuracy()));
    }
    AddMeans(&comparison, row.cells);
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<SequencePoint> SequenceOf(const v1::PatchJob& job, const std::vector<v1::Comparison>& comparisons) {
  std::vector<SequencePoint> sequence;
  if (job.spec().strategy() != v1::STRATEGY_SEQUENTIAL) return sequence;
  const int tasks = job.spec().patching_tasks_size();
  const v1::Comparison* unpatched = FindComparison(comparisons, v1::COMPARISON_KIND_UNPATCHED);
  if (unpatched != nullptr) sequence.push_back({0, unpatched, unpatched});
  for (int after = 1; after <= tasks; ++after) {
    SequencePoint point{after, FindComparison(comparisons, v1::COMPARISON_KIND_PATCHED_SO_FAR, after),
                        FindComparison(comparisons, v1::COMPARISON_KIND_FINE_TUNED_SO_FAR, after)};
    // The last one is the result itself.
    if (after == tasks && point.patched == nullptr) {
      point.patched = FindComparison(comparisons, v1::COMPARISON_KIND_PATCHED);
    }
    if (after == tasks && point.fine_tuned == nullptr) {
      point.fine_tuned = FindComparison(comparisons, v1::COMPARISON_KIND_FINE_TUNED);
    }
    if (point.patched != nullptr) sequence.push_back(point);
  }
  return sequence;
}

DisplayTable SequenceTable(const v1::PatchJob& job) {
  DisplayTable table;
  const std::vector<v1::Comparison> comparisons = ComparisonsOf(job);
  const std::vector<SequencePoint> sequence = SequenceOf(job, comparisons);
  if (sequence.size() < 2) return table;
  table.columns = {{"tasks", true},
                   {"added"},
                   {"α", true},
                   {"patching mean", true},
                   {"supported mean", true},
                   {"combined", true},
                   {"patching mean, no interpolation", true},
                   {"supported mean, no interpolation", true},
                   {"combined, no interpolation", true}};
  for (const SequencePoint& point : sequence) {
    const auto& alphas = job.result().sequence_alphas();
    const bool has_alpha = point.after >= 1 && point.after <= alphas.size();
    DisplayRow row;
    row.cells = {absl::StrCat(point.after), point.after == 0 ? "" : ShortName(point.patched->after_task()),
                 has_alpha ? Number(alphas.Get(point.after - 1)) : ""};
    AddMeans(point.patched, row.cells);
    AddMeans(point.fine_tuned, row.cells);
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace modelpatch::client::report
