#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/text_format.h"
#include "client/report/chosen.h"
#include "client/report/comparisons.h"
#include "client/report/figures.h"
#include "client/report/label_room.h"
#include "client/report/plot_script.h"
#include "client/report/role_means.h"

namespace modelpatch::client::report {
namespace {

constexpr int kWidth = 820;
constexpr int kHeight = 480;

struct Point {
  // In per cent.
  double supported;
  double patching;
  std::string label;
};

// What is drawn alike.
struct Series {
  const char* style;
  const char* color;
  const char* title;
  std::vector<Point> points;
};

std::optional<Point> PointOf(const google::protobuf::RepeatedPtrField<v1::TaskAccuracy>& accuracies,
                             const std::string& label) {
  const RoleMeans means = MeansOf(accuracies);
  if (!means.patching || !means.supported) return std::nullopt;
  return Point{*means.supported * 100, *means.patching * 100, label};
}

void AddKind(const ReportJob& job, v1::ComparisonKind kind, const std::string& label, Series& series) {
  for (const v1::Comparison& comparison : ComparisonsOf(job.job)) {
    if (comparison.kind() != kind) continue;
    const std::string text = kind == v1::COMPARISON_KIND_SNAPSHOT ? absl::StrCat(comparison.training_step()) : label;
    if (const auto point = PointOf(comparison.accuracies(), text)) series.points.push_back(*point);
  }
}

// The curve of the first job: on test data, or else on validation data.
Series CurveSeries(const ReportJob& job) {
  const bool is_test = !job.test_points.empty();
  Series series{"with lines lc rgb '#0072B2' lw 2.2",
                "#0072B2",
                is_test ? "interpolation, test data" : "interpolation, validation data",
                {}};
  const auto add = [&](const v1::SweepPoint& sweep) {
    if (const auto point = PointOf(sweep.accuracies(), "")) series.points.push_back(*point);
  };
  if (is_test) {
    std::for_each(job.test_points.begin(), job.test_points.end(), add);
  } else {
    std::for_each(job.job.result().points().begin(), job.job.result().points().end(), add);
  }
  return series;
}

// The first job's own models on test data: before, chosen and after.
Series EndsSeries(const ReportJob& job) {
  Series series{"with points pt 7 ps 1.1 lc rgb '#0072B2'", "#0072B2", "interpolation: α = 0, chosen, 1", {}};
  AddKind(job, v1::COMPARISON_KIND_UNPATCHED, "0", series);
  AddKind(job, v1::COMPARISON_KIND_PATCHED, ChosenText(job.job), series);
  AddKind(job, v1::COMPARISON_KIND_FINE_TUNED, "1", series);
  return series;
}

// Jobs by what tells them from the first.
std::string LabelOf(const ReportJob& job, const std::vector<Variant>& variants) {
  for (const Variant& variant : variants) {
    const bool is_one = variant.jobs.size() == 1 && variant.jobs.front() == &job;
    if (is_one && !variant.difference.empty()) return variant.difference;
  }
  return job.label;
}

std::vector<Series> AlternativesOf(const JobPointers& jobs) {
  Series snapshots{
      "with linespoints pt 6 ps 0.8 lc rgb '#D55E00' dt (3,4) lw 1.2", "#B04E00", "snapshots (early stopping)", {}};
  Series averages{"with points pt 12 ps 1.2 lw 1.6 lc rgb '#CC79A7'", "#A85483", "moving averages", {}};
  Series fine_tuned{"with points pt 8 ps 1.1 lw 1.6 lc rgb '#009E73'", "#00795A", "other fine-tunings, α = 1", {}};
  Series patched{"with points pt 4 ps 1.0 lw 1.6 lc rgb '#009E73'", "#00795A", "the same, patched", {}};
  const std::vector<Variant> variants = VariantsOf(jobs);
  AddKind(*jobs.front(), v1::COMPARISON_KIND_SNAPSHOT, "", snapshots);
  for (const ReportJob* job : jobs) {
    const std::string label = job == jobs.front() ? "" : LabelOf(*job, variants);
    const std::string decay = absl::StrCat("EMA ", Number(job->job.spec().fine_tune().ema_decay()));
    AddKind(*job, v1::COMPARISON_KIND_MOVING_AVERAGE, absl::StrCat(decay, label.empty() ? "" : ", ", label), averages);
    if (job == jobs.front()) continue;
    AddKind(*job, v1::COMPARISON_KIND_FINE_TUNED, label, fine_tuned);
    AddKind(*job, v1::COMPARISON_KIND_PATCHED, "", patched);
  }
  return {std::move(snapshots), std::move(averages), std::move(fine_tuned), std::move(patched)};
}

}  // namespace

std::optional<Figure> FrontierFigure(const JobPointers& all_jobs) {
  const ReportJob& first = *all_jobs.front();
  if (!IsOnCurve(first.job)) return std::nullopt;
  // Other ways to fine-tune, not other strategies.
  JobPointers jobs;
  for (const ReportJob* job : all_jobs) {
    if (MethodText(job->job.spec()) == MethodText(first.job.spec())) jobs.push_back(job);
  }
  std::vector<Series> all = AlternativesOf(jobs);
  const bool has_any = std::any_of(all.begin(), all.end(), [](const Series& one) { return !one.points.empty(); });
  const Series curve = CurveSeries(first);
  if (!has_any || curve.points.size() < 2) return std::nullopt;
  all.insert(all.begin(), {curve, EndsSeries(first)});
  std::vector<double> supported;
  std::vector<double> patching;
  for (const Series& series : all) {
    for (const Point& point : series.points) {
      supported.push_back(point.supported);
      patching.push_back(point.patching);
    }
  }
  PlotScript script(kWidth, kHeight);
  const AxisRange x = PercentRange(supported);
  const AxisRange y = PercentRange(patching);
  script.XAxis("Accuracy on supported tasks, mean (%)", x);
  script.YAxis("Accuracy on patching tasks, mean (%)", y);
  LabelRoom room(x, y, script.SetArea(270));
  for (const Series& series : all) {
    for (const Point& point : series.points) room.Avoid(point.supported, point.patching);
  }
  for (const Series& series : all) {
    std::vector<std::vector<double>> rows;
    for (const Point& point : series.points) {
      rows.push_back({point.supported, point.patching});
      if (!point.label.empty()) {
        script.Add(room.Label(point.label, point.supported, point.patching, series.color));
      }
    }
    if (!rows.empty()) {
      script.AddCurve(absl::StrCat(script.AddData(rows), " using 1:2 ", series.style, " title ", Quoted(series.title)));
    }
  }
  script.Plot();
  Figure figure;
  figure.title = absl::StrCat("Other ways to trade, beside the interpolation of ", first.label);
  figure.caption = "Points are on test data. Numbers beside snapshots are optimiser steps.";
  if (first.test_points.empty()) {
    absl::StrAppend(&figure.caption,
                    " The curve is on validation data, which α was chosen on; its ends and the chosen α "
                    "are there on test data too. --test-curve measures the curve on test data.");
  }
  figure.script = script.text();
  return figure;
}

}  // namespace modelpatch::client::report
