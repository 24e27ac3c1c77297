// The result beside its alternatives: comparisons, and the accuracies after each task of a sequence. Pure functions.
#pragma once

#include <vector>

#include "client/report/data_table.h"
#include "client/report/display_table.h"
#include "client/report/report_job.h"

namespace modelpatch::client::report {

// `comparisons`: one row for each job, comparison and task, with the means of the comparison.
DataTable ComparisonData(const std::vector<ReportJob>& jobs);

// One row for each comparison but those of a sequence's course: the accuracy on each task, the means, combined
// accuracy. The job's result is marked.
DisplayTable ComparisonTable(const v1::PatchJob& job);

// One row for each number of tasks that were patched in a sequence, 0 first: the means and the combined accuracy with
// and without interpolation (the paper's figures 27 and 28). Empty for other strategies.
DisplayTable SequenceTable(const v1::PatchJob& job);

// The means of all tasks after so many tasks of a sequence.
struct SequencePoint {
  int after = 0;
  const v1::Comparison* patched = nullptr;
  // Null where the sequence without interpolation was left out.
  const v1::Comparison* fine_tuned = nullptr;
};
// In the order of `after`; the pointers are into `comparisons`.
std::vector<SequencePoint> SequenceOf(const v1::PatchJob& job, const std::vector<v1::Comparison>& comparisons);

}  // namespace modelpatch::client::report
