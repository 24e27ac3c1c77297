// Accuracies along α. Pure functions.
#pragma once

#include <vector>

#include "client/report/data_table.h"
#include "client/report/display_table.h"
#include "client/report/report_job.h"

namespace modelpatch::client::report {

// `curve`: one row for each job, α and task; on validation data, and on test data where that was asked for.
DataTable CurveData(const std::vector<ReportJob>& jobs);

// The paper's α × task table on validation data: one row for each α, one column for each task, the means last. The
// chosen α is marked where it is one of them. Empty for a job without a curve.
DisplayTable CurveTable(const v1::PatchJob& job);

}  // namespace modelpatch::client::report
