// ReportJob: a finished patch job and what a report calls it. A plain value.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client::report {

struct ReportJob {
  // The last part of the name; unique in a report, so that jobs of two servers can stand side by side.
  std::string label;
  v1::PatchJob job;
  // The curve on test data, in the order of α, where it was asked for.
  std::vector<v1::SweepPoint> test_points;
};

// The jobs, checked and labelled. INVALID_ARGUMENT if there is none, if one is there twice, or if a number in one makes
// no sense, such as an accuracy beyond 1 in a file that was edited; FAILED_PRECONDITION, by name, if one has not
// SUCCEEDED.
absl::StatusOr<std::vector<ReportJob>> MakeReportJobs(const std::vector<v1::PatchJob>& jobs);

// INVALID_ARGUMENT, with the field's path, if a number of the job's spec or result is not finite, an accuracy is
// outside [0, 1], or a count is negative. Steps may hold others: a loss may have diverged.
absl::Status CheckNumbers(const v1::PatchJob& job);

// The accuracy of one task among `accuracies`, or null.
template <typename Accuracies>
const v1::TaskAccuracy* FindTask(const Accuracies& accuracies, const std::string& task) {
  for (const v1::TaskAccuracy& accuracy : accuracies) {
    if (accuracy.task() == task) return &accuracy;
  }
  return nullptr;
}

}  // namespace modelpatch::client::report
