#include "absl/strings/str_cat.h"
#include "client/cli/text_format.h"
#include "client/report/chosen.h"
#include "client/report/figures.h"
#include "client/report/label_room.h"
#include "client/report/plot_script.h"
#include "client/report/role_means.h"

namespace modelpatch::client::report {
namespace {

constexpr int kWidth = 800;
constexpr int kHeight = 460;
constexpr size_t kMostJobs = 7;

struct Point {
  double alpha;
  // In per cent.
  double supported;
  double patching;
};

struct Curve {
  const ReportJob* job;
  std::vector<Point> points;
  // Nothing where the job does not tell.
  std::optional<Point> chosen;
  // Of a job whose chosen mixture is not on its curve: there is no line but that of the average, once for all such
  // jobs.
  bool is_average;
};

std::optional<Point> PointAt(double alpha, const google::protobuf::RepeatedPtrField<v1::TaskAccuracy>& accuracies) {
  const RoleMeans means = MeansOf(accuracies);
  if (!means.patching || !means.supported) return std::nullopt;
  return Point{alpha, *means.supported * 100, *means.patching * 100};
}

Curve CurveOf(const ReportJob& job) {
  Curve curve{&job, {}, std::nullopt, !IsOnCurve(job.job)};
  for (const v1::SweepPoint& point : job.job.result().points()) {
    if (const auto one = PointAt(point.alpha(), point.accuracies())) curve.points.push_back(*one);
  }
  if (const auto* accuracies = ChosenOnValidation(job.job)) {
    curve.chosen = PointAt(job.job.result().alpha(), *accuracies);
  }
  return curve;
}

// Of a sequence the α of its last task, whose curve is drawn.
std::string ChosenLabel(const v1::PatchJob& job) {
  if (job.spec().strategy() == v1::STRATEGY_SEQUENTIAL) return absl::StrCat("α = ", Number(job.result().alpha()));
  return ChosenText(job);
}

// What matters most is labelled first, other points only where there is room.
void AddLabels(const std::vector<Curve>& curves, LabelRoom room, PlotScript& script) {
  for (const Curve& curve : curves) {
    for (const Point& point : curve.points) room.Avoid(point.supported, point.patching);
    if (curve.chosen) room.Avoid(curve.chosen->supported, curve.chosen->patching);
  }
  const auto add = [&](const std::string& text, const Point& point, size_t series) {
    script.Add(room.Label(text, point.supported, point.patching, SeriesColor(series)));
  };
  for (size_t i = 0; i < curves.size(); ++i) {
    if (curves[i].chosen) add(ChosenLabel(curves[i].job->job), *curves[i].chosen, i);
  }
  for (size_t i = 0; i < curves.size(); ++i) {
    if (!curves[i].is_average) add(Number(curves[i].points.back().alpha), curves[i].points.back(), i);
  }
  for (const Point& point : curves.front().points) {
    const bool is_chosen = IsChosenAlpha(curves.front().job->job, point.alpha);
    if (!is_chosen && point.alpha != curves.front().points.back().alpha) add(Number(point.alpha), point, 0);
  }
}

// A curve with its points, or the chosen point alone; the average, in grey, once for all.
void AddSeries(const std::vector<Curve>& curves, PlotScript& script) {
  bool has_average = false;
  for (size_t i = 0; i < curves.size(); ++i) {
    const Curve& curve = curves[i];
    std::vector<std::vector<double>> rows;
    for (const Point& point : curve.points) rows.push_back({point.supported, point.patching});
    const std::string title = Quoted(curve.job->label, 28);
    if (!curve.is_average) {
      script.AddCurve(
          absl::StrCat(script.AddData(rows), " using 1:2 with linespoints ", SeriesStyle(i), " title ", title));
      continue;
    }
    if (!has_average) {
      script.AddCurve(absl::StrCat(script.AddData(rows),
                                   " using 1:2 with lines lc rgb '#999999' lw 1.2 title "
                                   "'average of checkpoints'"));
      has_average = true;
    }
    if (curve.chosen) {
      script.AddCurve(absl::StrCat(script.AddData({{curve.chosen->supported, curve.chosen->patching}}),
                                   " using 1:2 with points ", MarkerStyle(i, 1), " title ", title));
    }
  }
}

}  // namespace

std::optional<Figure> TradeOffFigure(const JobPointers& all) {
  std::vector<Curve> curves;
  std::vector<double> supported;
  std::vector<double> patching;
  for (const ReportJob* job : JobsToDraw(all, kMostJobs)) {
    Curve curve = CurveOf(*job);
    if (curve.points.size() < 2) continue;
    std::vector<Point> points = curve.points;
    if (curve.chosen) points.push_back(*curve.chosen);
    for (const Point& point : points) {
      supported.push_back(point.supported);
      patching.push_back(point.patching);
    }
    curves.push_back(std::move(curve));
  }
  if (curves.empty()) return std::nullopt;
  PlotScript script(kWidth, kHeight);
  const AxisRange x = PercentRange(supported);
  const AxisRange y = PercentRange(patching);
  script.XAxis("Accuracy on supported tasks, mean (%)", x);
  script.YAxis("Accuracy on patching tasks, mean (%)", y);
  AddSeries(curves, script);
  AddLabels(curves, LabelRoom(x, y, script.SetArea(230)), script);
  std::vector<std::vector<double>> zero;
  std::vector<std::vector<double>> chosen;
  for (const Curve& curve : curves) {
    const Point& front = curve.points.front();
    // The curve of a sequence's last task begins at the patch of those before it.
    const bool is_sequence = curve.job->job.spec().strategy() == v1::STRATEGY_SEQUENTIAL;
    if (front.alpha == 0 && !is_sequence) zero.push_back({front.supported, front.patching});
    if (curve.chosen) chosen.push_back({curve.chosen->supported, curve.chosen->patching});
  }
  if (!zero.empty()) {
    script.AddCurve(
        absl::StrCat(script.AddData({zero.front()}),
                     " using 1:2 with points pt 4 ps 1.5 lw 1.8 lc rgb '#000000' title 'unpatched (α = 0)'"));
  }
  if (!chosen.empty()) {
    script.AddCurve(absl::StrCat(script.AddData(chosen),
                                 " using 1:2 with points pt 6 ps 1.7 lw 1.8 lc rgb '#000000' title 'chosen α'"));
  }
  script.Plot();
  Figure figure;
  figure.title = "Trade-off along α";
  figure.caption =
      "Mean accuracy on patching against supported tasks, validation data. Numbers are α; a curve goes from the "
      "unpatched model to the fine-tuned one, that of a sequence from the patch of all tasks but the last. Where "
      "coefficients were searched one by one there is the chosen point alone.";
  if (curves.size() < all.size()) {
    absl::StrAppend(&figure.caption, " Shown are ", curves.size(), " of ", all.size(), " jobs.");
  }
  figure.script = script.text();
  return figure;
}

}  // namespace modelpatch::client::report
