#include "client/report/report_page.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/text_format.h"
#include "client/report/chosen.h"
#include "client/report/comparisons.h"
#include "client/report/gnuplot.h"
#include "client/report/search_tables.h"
#include "client/status_macros.h"

namespace modelpatch::client::report {
namespace {

std::string ShortNames(const google::protobuf::RepeatedPtrField<std::string>& names) {
  return absl::StrJoin(names, ", ", [](std::string* out, const std::string& name) { out->append(ShortName(name)); });
}

// One row for each job: what it was and what came of it.
DisplayTable Overview(const std::vector<ReportJob>& jobs) {
  DisplayTable table;
  table.columns = {{"job"},        {"method"}, {"patching tasks"},        {"supported tasks"},
                   {"seed", true}, {"chosen"}, {"combined before", true}, {"combined after", true}};
  for (const ReportJob& job : jobs) {
    const v1::PatchJobSpec& spec = job.job.spec();
    const std::vector<v1::Comparison> comparisons = ComparisonsOf(job.job);
    const auto combined = [&](v1::ComparisonKind kind) {
      const v1::Comparison* found = FindComparison(comparisons, kind);
      return found == nullptr ? "" : Percent(found->combined_accuracy());
    };
    table.rows.push_back({{job.label, MethodText(spec), ShortNames(spec.patching_tasks()),
                           ShortNames(spec.supported_tasks()), absl::StrCat(SeedOf(spec)), ChosenText(job.job),
                           combined(v1::COMPARISON_KIND_UNPATCHED), combined(v1::COMPARISON_KIND_PATCHED)},
                          false});
  }
  return table;
}

absl::Status AddGroup(const JobPointers& group, HtmlWriter& page, FigureDrawer& figures) {
  CLIENT_RETURN_IF_ERROR(figures.Add(TradeOffFigure(group)));
  if (group.size() > 1) {
    page.Table(StrategyTable(group),
               "Methods on test data: the mean over jobs that differ in their seeds, and the range. An "
               "evaluation is a pass over all validation data; gradients are counted in such passes; \"over "
               "uniform\" is on validation data.");
  }
  CLIENT_RETURN_IF_ERROR(figures.Add(StrategyFigure(group)));
  CLIENT_RETURN_IF_ERROR(figures.Add(SearchFigure(group)));
  return figures.Add(FrontierFigure(group));
}

}  // namespace

absl::Status FigureDrawer::Add(const std::optional<Figure>& figure) {
  if (gnuplot_ == nullptr || !figure.has_value()) return absl::OkStatus();
  ++count_;
  const std::string title = absl::StrCat("Figure ", count_, ": ", figure->title);
  CLIENT_ASSIGN_OR_RETURN(const std::string svg, gnuplot_->Draw(figure->script, absl::StrCat("figure", count_), title));
  page_.Figure(svg, title, figure->caption);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReportPage(const std::vector<ReportJob>& jobs, const ReportOptions& options) {
  HtmlWriter page(options.title);
  FigureDrawer figures(options.gnuplot, page);
  page.Heading(1, options.title);
  page.Paragraph(
      "Accuracies on validation data chose α and coefficients; accuracies on test data chose nothing. \"Mean\" "
      "and combined accuracy are the mean of two means, over patching and over supported tasks. Differences are "
      "in percentage points. The numbers of this page are in the CSV files beside it and, with the jobs, in "
      "report.json.");
  page.Table(Overview(jobs));
  const auto id_of = [](size_t i) { return absl::StrCat("job", i + 1); };
  const std::vector<JobPointers> groups = ComparableJobs(jobs);
  for (const JobPointers& group : groups) {
    const v1::PatchJobSpec& spec = group.front()->job.spec();
    page.Heading(2, groups.size() == 1 ? "Results"
                                       : absl::StrCat("Results on ", ShortNames(spec.patching_tasks()),
                                                      " (supported: ", ShortNames(spec.supported_tasks()), "; model ",
                                                      ShortName(spec.model()), ")"));
    CLIENT_RETURN_IF_ERROR(AddGroup(group, page, figures));
  }
  if (jobs.size() > 1) {
    page.Heading(2, "Jobs one by one");
    std::vector<std::pair<std::string, std::string>> entries;
    for (size_t i = 0; i < jobs.size(); ++i) entries.emplace_back(id_of(i), jobs[i].label);
    page.Contents(entries);
  }
  for (size_t i = 0; i < jobs.size(); ++i) CLIENT_RETURN_IF_ERROR(AddJobSection(jobs[i], id_of(i), page, figures));
  return page.Finish();
}

}  // namespace modelpatch::client::report
