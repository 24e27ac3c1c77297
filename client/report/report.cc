#include "client/report/report.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "client/cli/table.h"
#include "client/report/class_tables.h"
#include "client/report/comparison_tables.h"
#include "client/report/curve_tables.h"
#include "client/report/final_tables.h"
#include "client/report/metric_tables.h"
#include "client/report/report_page.h"
#include "client/report/search_tables.h"
#include "client/status_macros.h"

namespace modelpatch::client::report {
namespace {

absl::StatusOr<nlohmann::ordered_json> JobJson(const ReportJob& job) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(job.job, &text, options);
  if (!status.ok())
    return absl::InternalError(absl::StrCat("cannot print ", job.label, " as JSON: ", status.ToString()));
  auto json = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return absl::InternalError(absl::StrCat("cannot read the JSON of ", job.label));
  return json;
}

}  // namespace

absl::StatusOr<std::vector<ReportFile>> MakeReport(const std::vector<ReportJob>& jobs, const ReportOptions& options) {
  std::vector<ReportFile> files;
  CLIENT_ASSIGN_OR_RETURN(std::string page, ReportPage(jobs, options));
  files.push_back({"report.html", std::move(page)});
  nlohmann::ordered_json json;
  json["title"] = Printable(options.title);
  json["jobs"] = nlohmann::ordered_json::array();
  for (const ReportJob& job : jobs) {
    CLIENT_ASSIGN_OR_RETURN(nlohmann::ordered_json one, JobJson(job));
    json["jobs"].push_back(std::move(one));
  }
  for (const DataTable& table : {CurveData(jobs), ComparisonData(jobs), SearchData(jobs), FinalData(jobs),
                                 ClassData(jobs), MetricData(jobs), JobData(jobs)}) {
    json["tables"][table.name] = ToJson(table);
    files.push_back({absl::StrCat(table.name, ".csv"), ToCsv(table)});
  }
  files.push_back({"report.json", absl::StrCat(json.dump(1), "\n")});
  return files;
}

}  // namespace modelpatch::client::report
