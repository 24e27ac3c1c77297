// AddJobSection of report_page.h.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/arguments.h"
#include "client/cli/text_format.h"
#include "client/report/chosen.h"
#include "client/report/class_tables.h"
#include "client/report/comparison_tables.h"
#include "client/report/curve_tables.h"
#include "client/report/final_tables.h"
#include "client/report/metric_tables.h"
#include "client/report/report_page.h"
#include "client/report/search_tables.h"
#include "client/report/submit_line.h"
#include "client/status_macros.h"

namespace modelpatch::client::report {
namespace {

constexpr size_t kMostClasses = 5;

using LineList = std::vector<std::pair<std::string, std::string>>;

void AddResult(const ReportJob& job, HtmlWriter& page) {
  const v1::PatchJobResult& result = job.job.result();
  LineList lines = {{"chosen", ChosenText(job.job)}, {"mixture", MixtureText(result.mixture())}};
  for (const std::string& checkpoint : result.checkpoints()) lines.emplace_back("checkpoint", checkpoint);
  page.Lines(lines);
}

void AddClasses(const ReportJob& job, HtmlWriter& page) {
  bool is_first = true;
  for (const v1::FinalAccuracy* final : PatchingFirst(job.job)) {
    const DisplayTable table = ClassTable(*final, kMostClasses);
    if (table.empty()) continue;
    if (is_first) page.Heading(3, "Classes that change most, test data");
    is_first = false;
    page.Table(table, absl::StrCat(ShortName(final->task()), " (", RoleName(final->role()), ")"));
  }
}

void AddLineage(const ReportJob& job, HtmlWriter& page) {
  const v1::Lineage& lineage = job.job.lineage();
  page.Heading(3, "How to run it again");
  page.Code(SubmitLine(job.job.spec()));
  LineList lines = {{"job", job.job.name()},
                    {"model", absl::StrCat(job.job.spec().model(), " ", lineage.model_digest())}};
  if (!lineage.layout_digest().empty()) lines.emplace_back("layout", lineage.layout_digest());
  for (const v1::TaskReference& task : lineage.tasks()) {
    lines.emplace_back("task", absl::StrCat(task.task(), " (", RoleName(task.role()), ") ", task.digest()));
  }
  for (const v1::MixtureTerm& parent : lineage.parents()) {
    lines.emplace_back("parent", absl::StrCat(Number(parent.coefficient()), "·", parent.checkpoint()));
  }
  if (!lineage.code_version().empty()) lines.emplace_back("code version", lineage.code_version());
  if (job.job.has_start_time()) lines.emplace_back("started", Time(job.job.start_time()));
  if (job.job.has_end_time()) lines.emplace_back("ended", Time(job.job.end_time()));
  if (const double seconds = SecondsOf(job.job); seconds > 0) lines.emplace_back("took", Duration(seconds));
  for (const v1::PatchJobStep& step : job.job.steps()) {
    const double seconds = static_cast<double>(step.end_time().seconds() - step.start_time().seconds());
    lines.emplace_back(absl::StrCat("step ", step.id()),
                       absl::StrCat(KindName(step.kind()), ", ", StateName(step.state()), " on ",
                                    step.device().empty() ? "?" : step.device(), ", ", Duration(seconds)));
  }
  page.Lines(lines);
}

}  // namespace

absl::Status AddJobSection(const ReportJob& job, const std::string& id, HtmlWriter& page, FigureDrawer& figures) {
  page.Heading(2, absl::StrCat("Job ", job.label), id);
  AddResult(job, page);
  page.Heading(3, "Test data");
  page.Table(FinalTable(job.job), "In brackets bootstrap intervals of 95 %.");
  CLIENT_RETURN_IF_ERROR(figures.Add(TaskFigure(job)));
  page.Table(ComparisonTable(job.job), "The result beside its alternatives.");
  const DisplayTable sequence = SequenceTable(job.job);
  page.Table(sequence, "After each task of the sequence; means over all tasks, those still to come included.");
  CLIENT_RETURN_IF_ERROR(figures.Add(SequenceFigure(job)));
  const DisplayTable curve = CurveTable(job.job);
  if (!curve.empty()) {
    page.Heading(3, "Validation data");
    page.Table(curve, "Accuracy at each α; the marked row is the chosen one.");
  }
  CLIENT_RETURN_IF_ERROR(figures.Add(CurveFigure(job)));
  page.Lines(SearchLines(job.job), "The search.");
  const LineList metrics = MetricLines(job.job.result());
  if (!metrics.empty()) page.Heading(3, "Measures");
  page.Lines(metrics);
  page.Table(ProxyTable(job.job.result().metrics()),
             "What choosing α by one supported task, and the patching tasks, costs on another one.");
  AddClasses(job, page);
  AddLineage(job, page);
  return absl::OkStatus();
}

}  // namespace modelpatch::client::report
