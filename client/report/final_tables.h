// Accuracies on test data before patching, after it, and after fine-tuning. Pure functions.
#pragma once

#include <vector>

#include "client/report/data_table.h"
#include "client/report/display_table.h"
#include "client/report/report_job.h"

namespace modelpatch::client::report {

// `final`: one row for each job and task; the intervals are of 95 %.
DataTable FinalData(const std::vector<ReportJob>& jobs);

// One row for each task, patching ones first: unpatched, patched and fine-tuned with their intervals, and the gain.
DisplayTable FinalTable(const v1::PatchJob& job);

// The final accuracies, patching tasks first, else in their order.
std::vector<const v1::FinalAccuracy*> PatchingFirst(const v1::PatchJob& job);

}  // namespace modelpatch::client::report
