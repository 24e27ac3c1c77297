#include <cmath>

#include "absl/strings/str_cat.h"
#include "client/report/comparison_tables.h"
#include "client/report/comparisons.h"
#include "client/report/figures.h"
#include "client/report/plot_script.h"
#include "client/report/role_means.h"

namespace modelpatch::client::report {
namespace {

constexpr int kWidth = 860;
constexpr int kHeight = 380;

double Percentage(const std::optional<double>& value) { return value ? *value * 100 : NAN; }

// The number of tasks, then the means over patching and over supported tasks.
std::vector<std::vector<double>> Rows(const std::vector<SequencePoint>& sequence,
                                      const v1::Comparison* SequencePoint::*which) {
  std::vector<std::vector<double>> rows;
  for (const SequencePoint& point : sequence) {
    if (point.*which == nullptr) continue;
    const RoleMeans means = MeansOf((point.*which)->accuracies());
    rows.push_back({static_cast<double>(point.after), Percentage(means.patching), Percentage(means.supported)});
  }
  return rows;
}

}  // namespace

std::optional<Figure> SequenceFigure(const ReportJob& job) {
  const std::vector<v1::Comparison> comparisons = ComparisonsOf(job.job);
  const std::vector<SequencePoint> sequence = SequenceOf(job.job, comparisons);
  if (sequence.size() < 2) return std::nullopt;
  const auto patched = Rows(sequence, &SequencePoint::patched);
  const auto fine_tuned = Rows(sequence, &SequencePoint::fine_tuned);
  PlotScript script(kWidth, kHeight);
  const std::string with = script.AddData(patched);
  const std::string without = script.AddData(fine_tuned);
  script.Add("set multiplot layout 1,2 margins 0.08,0.98,0.16,0.84 spacing 0.11");
  script.Add("set key at screen 0.5,0.97 center top vertical Left reverse samplen 3");
  const double last = sequence.back().after;
  script.Add(absl::StrCat("set xtics ", last > 12 ? 5 : 1));
  const std::pair<int, const char*> panels[] = {{1, "Patching tasks, test data (%)"},
                                                {2, "Supported tasks, test data (%)"}};
  for (const auto& [column, label] : panels) {
    std::vector<double> values;
    for (const auto* rows : {&patched, &fine_tuned}) {
      for (const auto& row : *rows) values.push_back(row[static_cast<size_t>(column)]);
    }
    script.XAxis("Tasks patched so far", {-0.15, last + 0.15});
    script.YAxis(label, PercentRange(values));
    const std::string using_columns = absl::StrCat(" using 1:", column + 1, " with linespoints ");
    script.AddCurve(absl::StrCat(with, using_columns, SeriesStyle(0), " title 'with interpolation'"));
    if (fine_tuned.size() > 1) {
      script.AddCurve(absl::StrCat(without, using_columns, SeriesStyle(1), " title 'without interpolation'"));
    }
    script.Plot();
    script.Add("unset key");
  }
  script.Add("unset multiplot");
  Figure figure;
  figure.title = absl::StrCat("Task after task, ", job.label);
  figure.caption =
      "Mean accuracies over all patching tasks, those still to come included, and over all supported tasks, after "
      "each task of the sequence.";
  figure.script = script.text();
  return figure;
}

}  // namespace modelpatch::client::report
