#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/report/figures.h"
#include "client/report/plot_script.h"
#include "client/report/search_tables.h"

namespace modelpatch::client::report {
namespace {

constexpr int kWidth = 780;
constexpr int kHeight = 420;
constexpr size_t kMostSearches = 8;

}  // namespace

std::optional<Figure> SearchFigure(const JobPointers& jobs) {
  JobPointers searches;
  for (const ReportJob* job : jobs) {
    const v1::PatchJob& one = job->job;
    if (one.spec().strategy() == v1::STRATEGY_PARALLEL && one.result().search().candidates_size() > 1) {
      searches.push_back(job);
    }
  }
  if (searches.empty()) return std::nullopt;
  const JobPointers drawn = JobsToDraw(searches, kMostSearches);
  std::vector<double> costs;
  std::vector<double> values;
  // By the best search over uniform, in points.
  double gained = 0;
  PlotScript script(kWidth, kHeight);
  script.SetArea(220);
  for (size_t i = 0; i < drawn.size(); ++i) {
    std::vector<std::vector<double>> rows;
    for (const SearchStep& step : SearchCourse(drawn[i]->job)) {
      if (!step.best) continue;
      rows.push_back({step.cost, *step.best * 100});
      costs.push_back(step.cost);
      values.push_back(*step.best * 100);
    }
    if (rows.empty()) continue;
    const v1::SearchSummary& search = drawn[i]->job.result().search();
    gained = std::max(gained, (search.objective() - search.uniform_objective()) * 100);
    const auto same = std::count_if(drawn.begin(), drawn.end(), [&](const ReportJob* other) {
      return other->job.result().search().method() == search.method();
    });
    const std::string title = same == 1 ? search.method() : drawn[i]->label;
    // A marker where it ends tells the lines apart without colour.
    const std::string data = script.AddData(rows);
    const std::string end = script.AddData({rows.back()});
    script.AddCurve(absl::StrCat(data, " using 1:2 with steps ", LineStyle(i), " notitle"));
    script.AddCurve(absl::StrCat(end, " using 1:2 with linespoints ", SeriesStyle(i), " title ", Quoted(title, 34)));
  }
  if (values.empty()) return std::nullopt;
  const double most = *std::max_element(costs.begin(), costs.end());
  const bool is_wide = most > 200;
  // What matters is at the end: where searches begin, at α = 0, would squeeze it.
  const double best = *std::max_element(values.begin(), values.end());
  const double low = std::max(*std::min_element(values.begin(), values.end()), best - 2 * std::max(1.0, gained));
  double first = most;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] >= low) first = std::min(first, costs[i]);
  }
  script.XAxis(is_wide ? "Evaluations, gradients included (logarithmic)" : "Evaluations, gradients included",
               {is_wide ? first * 0.8 : 0.0, is_wide ? most * 1.3 : most * 1.05});
  if (is_wide) script.Add("set logscale x");
  script.YAxis("Best objective so far, validation data (%)", PercentRange({low, best}));
  script.Plot();
  Figure figure;
  figure.title = "What searches find, and for how many evaluations";
  figure.caption =
      "One evaluation is a pass over all validation data. The uniform candidates come first in every search; a "
      "gradient search then pays for its gradients before it evaluates where they led.";
  if (drawn.size() < searches.size()) {
    absl::StrAppend(&figure.caption, " Shown are ", drawn.size(), " of ", searches.size(), " searches.");
  }
  figure.script = script.text();
  return figure;
}

}  // namespace modelpatch::client::report
