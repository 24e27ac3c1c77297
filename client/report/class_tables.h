// Accuracies by class. Pure functions.
#pragma once

#include <vector>

#include "client/report/data_table.h"
#include "client/report/display_table.h"
#include "client/report/report_job.h"

namespace modelpatch::client::report {

// `classes`: one row for each job, task and class.
DataTable ClassData(const std::vector<ReportJob>& jobs);

// The classes of a task whose accuracy the patch changes most: at most `most` that gain, the largest gain first, then
// at most `most` that lose, the largest loss last. Empty if none changes.
DisplayTable ClassTable(const v1::FinalAccuracy& final, size_t most);

}  // namespace modelpatch::client::report
