// What coefficient searches did, and how methods compare. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/report/data_table.h"
#include "client/report/display_table.h"
#include "client/report/report_job.h"
#include "client/report/variant.h"

namespace modelpatch::client::report {

// The search after one more candidate.
struct SearchStep {
  // Passes over the validation data of all tasks so far. What the gradients cost counts from the first candidate on
  // that is not a uniform one, since those come first whatever the method.
  double cost = 0;
  // Of the candidate; absent if it loses more on a supported task than the policy's budget.
  std::optional<double> objective;
  // The best so far; absent if there is none.
  std::optional<double> best;
};

// One for each candidate, in the order of evaluation. The objective is combined accuracy, or with a budget the patching
// mean.
std::vector<SearchStep> SearchCourse(const v1::PatchJob& job);

// `search`: one row for each job and candidate.
DataTable SearchData(const std::vector<ReportJob>& jobs);

// What the job's search did: name and value.
std::vector<std::pair<std::string, std::string>> SearchLines(const v1::PatchJob& job);

// Comparable jobs by strategy and search: one row for each variant, with the mean over its jobs (seeds) and their
// range.
DisplayTable StrategyTable(const JobPointers& jobs);

// `jobs`: one row for each job: how it patched, what it cost and what came of it.
DataTable JobData(const std::vector<ReportJob>& jobs);

// How much of an exhaustive search's gain over uniform `job` has reached, on validation data; absent unless `jobs`
// holds that exhaustive search and it gained something.
std::optional<double> ShareOfExhaustiveGain(const ReportJob& job, const JobPointers& jobs);

// From start to end in seconds; 0 if it is not known.
double SecondsOf(const v1::PatchJob& job);

}  // namespace modelpatch::client::report
