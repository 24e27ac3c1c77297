// Report: what `modelpatch report` writes, as files in memory. Pure but for the drawing of figures.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/report/report_job.h"

namespace modelpatch::client::report {

class Gnuplot;

struct ReportOptions {
  std::string title = "Patching report";
  // Null: no figures.
  const Gnuplot* gnuplot = nullptr;
};

struct ReportFile {
  std::string name;
  std::string content;
};

// `report.html`, `report.json` and one CSV file for each table, from at least one job. The same jobs and options make
// the same bytes. The errors are Gnuplot's.
absl::StatusOr<std::vector<ReportFile>> MakeReport(const std::vector<ReportJob>& jobs, const ReportOptions& options);

// FAILED_PRECONDITION if `directory` is there and something else.
absl::Status CheckReportDirectory(const std::string& directory);

// Writes the files into `directory`, which is made if it is not there; each is whole or as it was before. UNAVAILABLE
// if the disk refuses, FAILED_PRECONDITION if the directory cannot be made.
absl::Status WriteReport(const std::vector<ReportFile>& files, const std::string& directory);

}  // namespace modelpatch::client::report
