// The paper's measures of a patch. Pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "client/report/data_table.h"
#include "client/report/display_table.h"
#include "client/report/report_job.h"

namespace modelpatch::client::report {

// `metrics`: one row for each job and measure that is defined; fractions as they are, not in points.
DataTable MetricData(const std::vector<ReportJob>& jobs);

// Name and value of each measure of the job that is defined.
std::vector<std::pair<std::string, std::string>> MetricLines(const v1::PatchJobResult& result);

// One row for each pair of supported tasks: what choosing α by one costs on the other. Empty if there are none.
DisplayTable ProxyTable(const v1::PatchMetrics& metrics);

}  // namespace modelpatch::client::report
