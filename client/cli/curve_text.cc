#include "client/cli/curve_text.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/arguments.h"
#include "client/cli/plot.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"
#include "client/report/role_means.h"

namespace modelpatch::client {
namespace {

bool IsChosen(double alpha, std::optional<double> chosen) {
  return chosen.has_value() && std::abs(alpha - *chosen) < 1e-9;
}

std::string Title(const v1::TaskAccuracy& accuracy) {
  return absl::StrCat(ShortName(accuracy.task()), " (", RoleName(accuracy.role()), ")");
}

}  // namespace

double MeanAccuracy(const v1::SweepPoint& point) { return report::MeansOf(point.accuracies()).combined; }

std::string CurveTable(const std::vector<v1::SweepPoint>& points, std::optional<double> chosen) {
  if (points.empty()) return "";
  std::vector<Column> columns = {{"α", Align::kRight}};
  for (const v1::TaskAccuracy& accuracy : points[0].accuracies()) {
    columns.push_back({Printable(Title(accuracy)), Align::kRight});
  }
  columns.push_back({"mean", Align::kRight});
  columns.push_back({""});
  Table table(std::move(columns));
  for (const v1::SweepPoint& point : points) {
    std::vector<std::string> cells = {Number(point.alpha())};
    for (int i = 0; i < points[0].accuracies_size(); ++i) {
      cells.push_back(i < point.accuracies_size() ? Percent(point.accuracies(i).accuracy()) : "");
    }
    cells.push_back(Percent(MeanAccuracy(point)));
    cells.push_back(IsChosen(point.alpha(), chosen) ? "* chosen" : "");
    table.AddRow(std::move(cells));
  }
  return table.Render();
}

std::string CurvePlot(const std::vector<v1::SweepPoint>& points, std::optional<double> chosen, bool unicode) {
  if (points.empty()) return "";
  std::vector<PlotSeries> series;
  for (int i = 0; i < points[0].accuracies_size(); ++i) {
    PlotSeries one;
    one.name = Printable(Title(points[0].accuracies(i)));
    for (const v1::SweepPoint& point : points) {
      if (i < point.accuracies_size()) one.points.push_back({point.alpha(), point.accuracies(i).accuracy()});
    }
    series.push_back(std::move(one));
  }
  PlotOptions options;
  options.unicode = unicode;
  options.marker = chosen;
  if (chosen.has_value()) options.marker_name = absl::StrCat(unicode ? "α = " : "alpha = ", Number(*chosen));
  return RenderPlot(series, options);
}

std::string AccuracyTable(const std::vector<v1::TaskAccuracy>& accuracies) {
  Table table({{"TASK"}, {"SPLIT"}, {"ACCURACY", Align::kRight}, {"CORRECT", Align::kRight}, {"TOTAL", Align::kRight}});
  for (const v1::TaskAccuracy& accuracy : accuracies) {
    table.AddRow({ShortName(accuracy.task()), SplitName(accuracy.split()), Percent(accuracy.accuracy()),
                  absl::StrCat(accuracy.correct()), absl::StrCat(accuracy.total())});
  }
  return table.Render();
}

std::string FinalTable(const v1::PatchJobResult& result) {
  Table table({{"TEST DATA"},
               {"ROLE"},
               {"ZERO-SHOT", Align::kRight},
               {"PATCHED", Align::kRight},
               {"points", Align::kRight},
               {"FINE-TUNED", Align::kRight},
               {"points", Align::kRight}});
  for (const v1::FinalAccuracy& final : result.final_accuracies()) {
    const double before = final.zero_shot().accuracy();
    table.AddRow({ShortName(final.task()), RoleName(final.role()), Percent(before), Percent(final.patched().accuracy()),
                  Points(final.patched().accuracy() - before), Percent(final.fine_tuned().accuracy()),
                  Points(final.fine_tuned().accuracy() - before)});
  }
  return table.Render();
}

}  // namespace modelpatch::client
