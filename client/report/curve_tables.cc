#include "client/report/curve_tables.h"

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/text_format.h"
#include "client/report/chosen.h"
#include "client/report/role_means.h"

namespace modelpatch::client::report {
namespace {

void AddPoint(const ReportJob& job, const v1::SweepPoint& point, DataTable& table) {
  for (const v1::TaskAccuracy& accuracy : point.accuracies()) {
    table.rows.push_back({job.label, point.alpha(), int64_t{IsChosenAlpha(job.job, point.alpha())}, accuracy.task(),
                          RoleName(accuracy.role()), SplitName(accuracy.split()), accuracy.accuracy(),
                          int64_t{accuracy.correct()}, int64_t{accuracy.total()}});
  }
}

}  // namespace

DataTable CurveData(const std::vector<ReportJob>& jobs) {
  DataTable table{"curve", {"job", "alpha", "chosen", "task", "role", "split", "accuracy", "correct", "total"}, {}};
  for (const ReportJob& job : jobs) {
    for (const v1::SweepPoint& point : job.job.result().points()) AddPoint(job, point, table);
    for (const v1::SweepPoint& point : job.test_points) AddPoint(job, point, table);
  }
  return table;
}

DisplayTable CurveTable(const v1::PatchJob& job) {
  DisplayTable table;
  if (job.result().points().empty()) return table;
  const auto& tasks = job.result().points(0).accuracies();
  const RoleMeans first = MeansOf(tasks);
  const bool has_means = tasks.size() > 2 && first.patching && first.supported;
  table.columns = {{"α", true}};
  for (const v1::TaskAccuracy& task : tasks) {
    table.columns.push_back({absl::StrCat(ShortName(task.task()), " (", RoleName(task.role()), ")"), true});
  }
  if (has_means) {
    table.columns.push_back({"patching mean", true});
    table.columns.push_back({"supported mean", true});
  }
  table.columns.push_back({"mean", true});
  for (const v1::SweepPoint& point : job.result().points()) {
    DisplayRow row{{Number(point.alpha())}, IsChosenAlpha(job, point.alpha())};
    for (const v1::TaskAccuracy& task : tasks) {
      const v1::TaskAccuracy* accuracy = FindTask(point.accuracies(), task.task());
      row.cells.push_back(accuracy == nullptr ? "" : Percent(accuracy->accuracy()));
    }
    const RoleMeans means = MeansOf(point.accuracies());
    if (has_means) {
      row.cells.push_back(means.patching ? Percent(*means.patching) : "");
      row.cells.push_back(means.supported ? Percent(*means.supported) : "");
    }
    row.cells.push_back(Percent(means.combined));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace modelpatch::client::report
