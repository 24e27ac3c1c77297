// The page of a report. See report.h for its promises.
#pragma once

#include <string>
#include <vector>

#include "client/report/figures.h"
#include "client/report/html_writer.h"
#include "client/report/report.h"

namespace modelpatch::client::report {

absl::StatusOr<std::string> ReportPage(const std::vector<ReportJob>& jobs, const ReportOptions& options);

// Draws figures into a page, numbered in their order. Not thread-safe.
class FigureDrawer {
 public:
  // Null: figures are left out.
  FigureDrawer(const Gnuplot* gnuplot, HtmlWriter& page) : gnuplot_(gnuplot), page_(page) {}

  // Nothing for no figure.
  absl::Status Add(const std::optional<Figure>& figure);

 private:
  const Gnuplot* const gnuplot_;
  HtmlWriter& page_;
  int count_ = 0;
};

// All of one job, under a heading with this id.
absl::Status AddJobSection(const ReportJob& job, const std::string& id, HtmlWriter& page, FigureDrawer& figures);

}  // namespace modelpatch::client::report
