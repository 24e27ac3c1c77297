#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/text_format.h"
#include "client/report/bars.h"
#include "client/report/figures.h"
#include "client/report/final_tables.h"

namespace modelpatch::client::report {
namespace {

constexpr size_t kMostTasks = 30;

Bar BarOf(const v1::TaskAccuracy& accuracy, const v1::ConfidenceInterval& interval) {
  return {accuracy.accuracy() * 100, interval.low() * 100, interval.high() * 100};
}

}  // namespace

std::optional<Figure> TaskFigure(const ReportJob& job) {
  std::vector<const v1::FinalAccuracy*> finals = PatchingFirst(job.job);
  if (finals.empty()) return std::nullopt;
  Figure figure;
  figure.title = absl::StrCat("Each task before and after patching, ", job.label);
  figure.caption =
      "On test data; whiskers are bootstrap intervals of 95 %, where the job has them. A supported task that is "
      "another part of a patching task's data set shows broad transfer.";
  if (finals.size() > kMostTasks) {
    absl::StrAppend(&figure.caption, " The first ", kMostTasks, " of ", finals.size(), " tasks.");
    finals.resize(kMostTasks);
  }
  std::vector<BarRow> rows;
  for (const v1::FinalAccuracy* final : finals) {
    rows.push_back(
        {absl::StrCat(ShortName(final->task()), " (", RoleName(final->role()), ")"),
         {BarOf(final->zero_shot(), final->zero_shot_interval()), BarOf(final->patched(), final->patched_interval()),
          BarOf(final->fine_tuned(), final->fine_tuned_interval())}});
  }
  figure.script = BarScript({"unpatched", "patched", "fine-tuned"}, rows, "Accuracy, test data (%)");
  return figure;
}

}  // namespace modelpatch::client::report
