#include "client/report/metric_tables.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/arguments.h"
#include "client/cli/text_format.h"

namespace modelpatch::client::report {
namespace {

std::string PointsOf(double fraction) { return absl::StrFormat("%.2f points", fraction * 100); }

}  // namespace

DataTable MetricData(const std::vector<ReportJob>& jobs) {
  DataTable table{"metrics", {"job", "metric", "task", "chosen_by", "alpha", "value"}, {}};
  for (const ReportJob& job : jobs) {
    const v1::PatchMetrics& metrics = job.job.result().metrics();
    const auto add = [&](const std::string& name, double value, DataCell task = {}, DataCell chosen_by = {},
                         DataCell alpha = {}) {
      table.rows.push_back({job.label, name, std::move(task), std::move(chosen_by), std::move(alpha), value});
    };
    if (metrics.has_distance_to_optimal()) add("distance_to_optimal", metrics.distance_to_optimal());
    if (metrics.has_distance_to_endpoints()) add("distance_to_endpoints", metrics.distance_to_endpoints());
    if (metrics.has_path_correction_cost()) add("path_correction_cost", metrics.path_correction_cost());
    if (metrics.has_weight_cosine()) add("weight_cosine", metrics.weight_cosine());
    if (metrics.has_weight_mean_absolute_difference()) {
      add("weight_mean_absolute_difference", metrics.weight_mean_absolute_difference());
    }
    for (const v1::TaskCka& cka : metrics.cka()) add("cka", cka.cka(), cka.task());
    for (const v1::ProxyChoice& choice : metrics.proxy_choices()) {
      add("proxy_accuracy", choice.accuracy(), choice.evaluated_on(), choice.chosen_by(), choice.alpha());
      add("proxy_cost", choice.cost(), choice.evaluated_on(), choice.chosen_by(), choice.alpha());
    }
    for (const v1::TaskAccuracy& accuracy : job.job.result().learned_head_accuracies()) {
      add("learned_head_accuracy", accuracy.accuracy(), accuracy.task());
    }
  }
  return table;
}

std::vector<std::pair<std::string, std::string>> MetricLines(const v1::PatchJobResult& result) {
  const v1::PatchMetrics& metrics = result.metrics();
  std::vector<std::pair<std::string, std::string>> lines;
  if (metrics.has_distance_to_optimal()) {
    lines.emplace_back("distance to optimal", PointsOf(metrics.distance_to_optimal()));
  }
  if (metrics.has_distance_to_endpoints()) {
    lines.emplace_back("distance to endpoints", PointsOf(metrics.distance_to_endpoints()));
  }
  if (metrics.has_path_correction_cost()) {
    lines.emplace_back("path correction cost", PointsOf(metrics.path_correction_cost()));
  }
  if (metrics.has_weight_cosine())
    lines.emplace_back("weight cosine", absl::StrFormat("%.6f", metrics.weight_cosine()));
  if (metrics.has_weight_mean_absolute_difference()) {
    lines.emplace_back("mean |Δweight|", Number(metrics.weight_mean_absolute_difference()));
  }
  for (const v1::TaskCka& cka : metrics.cka()) {
    lines.emplace_back(absl::StrCat("CKA on ", ShortName(cka.task())), absl::StrFormat("%.4f", cka.cka()));
  }
  for (const v1::TaskAccuracy& accuracy : result.learned_head_accuracies()) {
    lines.emplace_back(absl::StrCat("learned head on ", ShortName(accuracy.task())),
                       absl::StrCat(Percent(accuracy.accuracy()), " of validation data"));
  }
  return lines;
}

DisplayTable ProxyTable(const v1::PatchMetrics& metrics) {
  DisplayTable table;
  if (metrics.proxy_choices().empty()) return table;
  table.columns = {{"α chosen by"}, {"α", true}, {"asked about"}, {"its accuracy", true}, {"cost, points", true}};
  for (const v1::ProxyChoice& choice : metrics.proxy_choices()) {
    table.rows.push_back({{ShortName(choice.chosen_by()), Number(choice.alpha()), ShortName(choice.evaluated_on()),
                           Percent(choice.accuracy()), absl::StrFormat("%.2f", choice.cost() * 100)},
                          false});
  }
  return table;
}

}  // namespace modelpatch::client::report
