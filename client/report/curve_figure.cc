#include <cmath>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/text_format.h"
#include "client/report/chosen.h"
#include "client/report/figures.h"
#include "client/report/plot_script.h"
#include "client/report/role_means.h"

namespace modelpatch::client::report {
namespace {

constexpr int kWidth = 780;
constexpr int kHeight = 420;
// Lines that an eye can tell apart; with more tasks the means stand for them.
constexpr int kMostTasks = 8;

void AddChosenLine(double alpha, PlotScript& script) {
  const std::string style = "lc rgb '#888888' dt (6,4) lw 1.2";
  const std::string at = ExactNumber(alpha);
  script.Add(absl::StrCat("set arrow from first ", at, ",graph 0 to first ", at, ",graph 1 nohead back ", style));
  const std::string title = absl::StrCat("chosen α = ", Number(alpha));
  script.AddCurve(absl::StrCat("NaN with lines ", style, " title ", Quoted(title)));
}

}  // namespace

std::optional<Figure> CurveFigure(const ReportJob& job) {
  const auto& points = job.job.result().points();
  if (points.size() < 2 || points.Get(0).accuracies().empty()) return std::nullopt;
  const auto& tasks = points.Get(0).accuracies();
  PlotScript script(kWidth, kHeight);
  script.SetArea(250);
  std::vector<double> values;
  std::vector<std::vector<double>> means;
  for (const v1::SweepPoint& point : points) {
    const RoleMeans mean = MeansOf(point.accuracies());
    means.push_back(
        {point.alpha(), mean.patching.value_or(NAN) * 100, mean.supported.value_or(NAN) * 100, mean.combined * 100});
    for (const v1::TaskAccuracy& accuracy : point.accuracies()) values.push_back(accuracy.accuracy() * 100);
  }
  script.XAxis("α", {points.Get(0).alpha(), points.Get(points.size() - 1).alpha()});
  script.YAxis("Accuracy, validation data (%)", PercentRange(values));
  if (IsOnCurve(job.job)) AddChosenLine(job.job.result().alpha(), script);
  if (tasks.size() <= kMostTasks) {
    size_t series = 0;
    for (const v1::TaskAccuracy& task : tasks) {
      std::vector<std::vector<double>> rows;
      for (const v1::SweepPoint& point : points) {
        const v1::TaskAccuracy* accuracy = FindTask(point.accuracies(), task.task());
        if (accuracy != nullptr) rows.push_back({point.alpha(), accuracy->accuracy() * 100});
      }
      script.AddCurve(absl::StrCat(script.AddData(rows), " using 1:2 with linespoints ", SeriesStyle(series++),
                                   " title ",
                                   Quoted(absl::StrCat(ShortName(task.task()), " (", RoleName(task.role()), ")"), 34)));
    }
  } else {
    const std::string data = script.AddData(means);
    script.AddCurve(
        absl::StrCat(data, " using 1:2 with linespoints ", SeriesStyle(0), " title 'patching tasks, mean'"));
    script.AddCurve(
        absl::StrCat(data, " using 1:3 with linespoints ", SeriesStyle(1), " title 'supported tasks, mean'"));
  }
  if (tasks.size() > 1) {
    script.AddCurve(absl::StrCat(script.AddData(means),
                                 " using 1:4 with lines lc rgb '#000000' lw 1.2 dt (2,3) title 'mean of both roles'"));
  }
  script.Plot();
  Figure figure;
  figure.title = absl::StrCat("Accuracy against α, ", job.label);
  figure.caption = tasks.size() <= kMostTasks
                       ? "One line for each task, on validation data."
                       : absl::StrCat("The means over the ", tasks.size(), " tasks, on validation data.");
  if (!IsOnCurve(job.job)) {
    absl::StrAppend(&figure.caption, " The curve is that of the average of the checkpoints; the chosen mixture, ",
                    ChosenText(job.job), ", is not on it.");
  }
  figure.script = script.text();
  return figure;
}

}  // namespace modelpatch::client::report
