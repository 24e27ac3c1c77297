// The figures of a report, as scripts for gnuplot. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/report/report_job.h"
#include "client/report/variant.h"

namespace modelpatch::client::report {

struct Figure {
  std::string title;
  // What it shows and how to read it.
  std::string caption;
  // gnuplot's.
  std::string script;
};

// Each is nothing where the jobs have too little for it. `jobs` are comparable (ComparableJobs).

// Patching against supported accuracy along α, on validation data: the paper's figure 1, one curve for each job.
std::optional<Figure> TradeOffFigure(const JobPointers& jobs);

// What else was tried, fine-tuned models, snapshots and moving averages, beside the interpolation curve of the first
// job, on test data: the paper's figure 4.
std::optional<Figure> FrontierFigure(const JobPointers& jobs);

// The ways to patch side by side: combined accuracy and the means, on test data; seeds as ranges.
std::optional<Figure> StrategyFigure(const JobPointers& jobs);

// Best objective so far against the evaluations that it took, one line for each search.
std::optional<Figure> SearchFigure(const JobPointers& jobs);

// Accuracy against α, one line for each task, on validation data.
std::optional<Figure> CurveFigure(const ReportJob& job);

// Each task on test data before patching, after it, and fine-tuned, with confidence intervals. What a supported task
// gains that shares its data set with a patching task is transfer: the paper's section on broad transfer.
std::optional<Figure> TaskFigure(const ReportJob& job);

// Mean accuracies against the number of tasks in sequence, with and without interpolation: the paper's figures 27
// and 28.
std::optional<Figure> SequenceFigure(const ReportJob& job);

}  // namespace modelpatch::client::report
