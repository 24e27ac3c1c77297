#include "client/report/final_tables.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/arguments.h"
#include "client/cli/text_format.h"

namespace modelpatch::client::report {
namespace {

// " [80.1, 84.2]" in per cent; "" for no interval.
std::string IntervalText(bool is_there, const v1::ConfidenceInterval& interval) {
  if (!is_there) return "";
  return absl::StrFormat(" [%.1f, %.1f]", interval.low() * 100, interval.high() * 100);
}

DataCell Low(bool is_there, const v1::ConfidenceInterval& interval) {
  return is_there ? DataCell(interval.low()) : DataCell();
}

DataCell High(bool is_there, const v1::ConfidenceInterval& interval) {
  return is_there ? DataCell(interval.high()) : DataCell();
}

// Nothing for a job that mixes checkpoints: it trained nothing.
std::string FineTunedText(const v1::FinalAccuracy& final) {
  if (!final.has_fine_tuned()) return "";
  return absl::StrCat(Percent(final.fine_tuned().accuracy()),
                      IntervalText(final.has_fine_tuned_interval(), final.fine_tuned_interval()));
}

}  // namespace

std::vector<const v1::FinalAccuracy*> PatchingFirst(const v1::PatchJob& job) {
  std::vector<const v1::FinalAccuracy*> finals;
  for (const v1::FinalAccuracy& final : job.result().final_accuracies()) finals.push_back(&final);
  std::stable_partition(finals.begin(), finals.end(),
                        [](const v1::FinalAccuracy* final) { return final->role() == v1::TASK_ROLE_PATCHING; });
  return finals;
}

DataTable FinalData(const std::vector<ReportJob>& jobs) {
  DataTable table{
      "final",
      {"job", "task", "role", "total", "zero_shot", "zero_shot_low", "zero_shot_high", "patched", "patched_low",
       "patched_high", "fine_tuned", "fine_tuned_low", "fine_tuned_high", "gain", "gain_low", "gain_high"},
      {}};
  for (const ReportJob& job : jobs) {
    for (const v1::FinalAccuracy& f : job.job.result().final_accuracies()) {
      table.rows.push_back(
          {job.label, f.task(), RoleName(f.role()), int64_t{f.patched().total()}, f.zero_shot().accuracy(),
           Low(f.has_zero_shot_interval(), f.zero_shot_interval()),
           High(f.has_zero_shot_interval(), f.zero_shot_interval()), f.patched().accuracy(),
           Low(f.has_patched_interval(), f.patched_interval()), High(f.has_patched_interval(), f.patched_interval()),
           f.has_fine_tuned() ? DataCell(f.fine_tuned().accuracy()) : DataCell(),
           Low(f.has_fine_tuned_interval(), f.fine_tuned_interval()),
           High(f.has_fine_tuned_interval(), f.fine_tuned_interval()),
           f.patched().accuracy() - f.zero_shot().accuracy(), Low(f.has_gain_interval(), f.gain_interval()),
           High(f.has_gain_interval(), f.gain_interval())});
    }
  }
  return table;
}

DisplayTable FinalTable(const v1::PatchJob& job) {
  DisplayTable table;
  table.columns = {{"task"},
                   {"role"},
                   {"examples", true},
                   {"unpatched", true},
                   {"patched", true},
                   {"gain, points", true},
                   {"fine-tuned", true}};
  for (const v1::FinalAccuracy* f : PatchingFirst(job)) {
    table.rows.push_back({{ShortName(f->task()), RoleName(f->role()), absl::StrCat(f->patched().total()),
                           absl::StrCat(Percent(f->zero_shot().accuracy()),
                                        IntervalText(f->has_zero_shot_interval(), f->zero_shot_interval())),
                           absl::StrCat(Percent(f->patched().accuracy()),
                                        IntervalText(f->has_patched_interval(), f->patched_interval())),
                           absl::StrCat(Points(f->patched().accuracy() - f->zero_shot().accuracy()),
                                        IntervalText(f->has_gain_interval(), f->gain_interval())),
                           FineTunedText(*f)},
                          false});
  }
  return table;
}

}  // namespace modelpatch::client::report
