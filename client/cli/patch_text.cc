#include "client/cli/patch_text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"

namespace modelpatch::client {
namespace {

std::string AliasesText(const v1::Patch& patch) {
  std::vector<std::string> entries;
  for (const v1::PatchAlias& one : patch.aliases()) entries.push_back(absl::StrCat(one.alias(), " = ", one.version()));
  return absl::StrJoin(entries, ", ");
}

std::string BudgetText(const v1::PatchVersion& version, const std::string& task) {
  for (const v1::TaskBudget& budget : version.budgets()) {
    if (budget.task() == task) return Number(budget.epsilon_points());
  }
  return "";
}

std::string VersionText(const v1::PatchVersion& version) {
  Properties lines;
  lines.Add("version", absl::StrCat(version.version()));
  lines.Add("created", Time(version.create_time()));
  lines.Add("mixture", MixtureText(version.mixture()));
  lines.Add("model digest", version.weights().model_digest());
  for (const v1::ResolvedTerm& term : version.weights().terms()) {
    lines.Add("blob digest", absl::StrCat(term.blob_digest(), "  ", term.checkpoint()));
  }
  const v1::PatchEvaluation& evaluation = version.evaluation();
  lines.Add("evaluation", version.has_evaluation() ? evaluation.patch_job() : "none");
  if (!version.has_evaluation()) return lines.Render();
  Table table({{"TASK"},
               {"ROLE"},
               {"SPLIT"},
               {"ZERO-SHOT", Align::kRight},
               {"PATCHED", Align::kRight},
               {"points", Align::kRight},
               {"BUDGET", Align::kRight}});
  for (const v1::PatchAccuracy& one : evaluation.accuracies()) {
    const v1::TaskAccuracy& patched = one.patched();
    table.AddRow({ShortName(patched.task()), RoleName(patched.role()), SplitName(patched.split()),
                  Percent(one.zero_shot().accuracy()), Percent(patched.accuracy()),
                  Points(patched.accuracy() - one.zero_shot().accuracy()), BudgetText(version, patched.task())});
  }
  return absl::StrCat(lines.Render(), "\n", table.Render());
}

std::string HistoryText(const v1::Patch& patch) {
  Table table({{"TIME"}, {"ALIAS"}, {"VERSION", Align::kRight}, {"HOW"}, {"REASON"}});
  for (const v1::PatchPromotion& one : patch.promotions()) {
    const char* how = one.rollback()          ? "rolled back"
                      : one.override_budget() ? "promoted, budget overridden"
                                              : "promoted";
    table.AddRow({Time(one.time()), one.alias(), absl::StrCat(one.version()), how, one.reason()});
  }
  return table.Render();
}

}  // namespace

std::string PatchText(const v1::Patch& patch) {
  Properties lines;
  lines.Add("name", patch.name());
  lines.Add("created", Time(patch.create_time()));
  lines.Add("changed", Time(patch.update_time()));
  lines.Add("versions", absl::StrCat(patch.latest_version()));
  lines.Add("served", absl::StrCat(patch.served_version()));
  lines.Add("aliases", AliasesText(patch));
  lines.Add("etag", patch.etag());
  std::string text = lines.Render();
  for (const v1::PatchVersion& version : patch.versions()) absl::StrAppend(&text, "\n", VersionText(version));
  if (!patch.promotions().empty()) absl::StrAppend(&text, "\n", HistoryText(patch));
  return text;
}

std::string PatchesText(const v1::ListPatchesResponse& response) {
  Table table(
      {{"NAME"}, {"VERSIONS", Align::kRight}, {"SERVED", Align::kRight}, {"ALIASES"}, {"CREATED"}, {"CHANGED"}});
  for (const v1::Patch& patch : response.patches()) {
    table.AddRow({ShortName(patch.name()), absl::StrCat(patch.latest_version()), absl::StrCat(patch.served_version()),
                  AliasesText(patch), Time(patch.create_time()), Time(patch.update_time())});
  }
  return table.Render();
}

}  // namespace modelpatch::client
