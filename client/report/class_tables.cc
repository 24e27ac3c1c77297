#include "client/report/class_tables.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/text_format.h"

namespace modelpatch::client::report {
namespace {

double Fraction(int32_t correct, int32_t total) { return total > 0 ? static_cast<double>(correct) / total : 0; }

double Gain(const v1::ClassAccuracy& one) {
  return Fraction(one.patched_correct(), one.total()) - Fraction(one.zero_shot_correct(), one.total());
}

}  // namespace

DataTable ClassData(const std::vector<ReportJob>& jobs) {
  DataTable table{
      "classes",
      {"job", "task", "role", "class", "total", "zero_shot_correct", "patched_correct", "fine_tuned_correct", "gain"},
      {}};
  for (const ReportJob& job : jobs) {
    for (const v1::FinalAccuracy& final : job.job.result().final_accuracies()) {
      for (const v1::ClassAccuracy& one : final.classes()) {
        table.rows.push_back({job.label, final.task(), RoleName(final.role()), one.class_name(), int64_t{one.total()},
                              int64_t{one.zero_shot_correct()}, int64_t{one.patched_correct()},
                              int64_t{one.fine_tuned_correct()}, Gain(one)});
      }
    }
  }
  return table;
}

DisplayTable ClassTable(const v1::FinalAccuracy& final, size_t most) {
  std::vector<const v1::ClassAccuracy*> classes;
  for (const v1::ClassAccuracy& one : final.classes()) classes.push_back(&one);
  std::stable_sort(classes.begin(), classes.end(),
                   [](const v1::ClassAccuracy* a, const v1::ClassAccuracy* b) { return Gain(*a) > Gain(*b); });
  std::vector<const v1::ClassAccuracy*> shown;
  const auto gains = [](const v1::ClassAccuracy* one) { return Gain(*one) > 0; };
  const auto loses = [](const v1::ClassAccuracy* one) { return Gain(*one) < 0; };
  const auto gaining = static_cast<size_t>(std::count_if(classes.begin(), classes.end(), gains));
  const auto losing = static_cast<size_t>(std::count_if(classes.begin(), classes.end(), loses));
  for (size_t i = 0; i < classes.size(); ++i) {
    const bool is_shown = i < std::min(gaining, most) || i + std::min(losing, most) >= classes.size();
    if (is_shown) shown.push_back(classes[i]);
  }
  DisplayTable table;
  if (gaining + losing == 0) return table;
  table.columns = {{"class"},         {"examples", true},     {"unpatched", true},
                   {"patched", true}, {"gain, points", true}, {"fine-tuned", true}};
  for (const v1::ClassAccuracy* one : shown) {
    table.rows.push_back(
        {{one->class_name(), absl::StrCat(one->total()), Percent(Fraction(one->zero_shot_correct(), one->total())),
          Percent(Fraction(one->patched_correct(), one->total())), Points(Gain(*one)),
          Percent(Fraction(one->fine_tuned_correct(), one->total()))},
         false});
  }
  return table;
}

}  // namespace modelpatch::client::report
