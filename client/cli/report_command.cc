#include <google/protobuf/util/json_util.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/session.h"
#include "client/report/gnuplot.h"
#include "client/report/report.h"
#include "client/report/report_job.h"
#include "client/status_macros.h"

namespace modelpatch::client {
namespace {

struct ReportCommandOptions {
  std::vector<std::string> jobs;
  std::vector<std::string> json_files;
  std::string directory;
  report::ReportOptions report;
  bool no_figures = false;
  bool test_curve = false;
};

// A job as `job show --output json` prints it.
absl::StatusOr<v1::PatchJob> ReadJob(const std::string& path) {
  CLIENT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  google::protobuf::util::JsonParseOptions options;
  // Of a newer server.
  options.ignore_unknown_fields = true;
  v1::PatchJob job;
  const auto status = google::protobuf::util::JsonStringToMessage(text, &job, options);
  if (!status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " is no patch job as `modelpatch job show JOB --output json` prints it: ", status.ToString()));
  }
  if (job.name().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " holds no patch job; `modelpatch job show JOB --output json` prints one"));
  }
  return job;
}

// The curve of the job on test data, at the α of its curve on validation data.
absl::Status AddTestCurve(Session& session, report::ReportJob& job) {
  const v1::PatchJobSpec& spec = job.job.spec();
  const v1::PatchJobResult& result = job.job.result();
  const bool is_line =
      result.checkpoints_size() == 1 || (spec.strategy() == v1::STRATEGY_PARALLEL && !spec.has_merge());
  if (!is_line || result.checkpoints().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--test-curve goes along a line, and the curve of ", job.job.name(),
                     ", the first job, is none: name a single, joint or parallel one first, or leave it out"));
  }
  v1::SweepRequest request;
  request.mutable_end()->set_model(spec.model());
  for (const std::string& checkpoint : result.checkpoints()) {
    v1::MixtureTerm& term = *request.mutable_end()->add_terms();
    term.set_checkpoint(checkpoint);
    term.set_coefficient(1.0 / result.checkpoints_size());
  }
  for (const v1::SweepPoint& point : result.points()) request.add_alphas(point.alpha());
  *request.mutable_patching_tasks() = spec.patching_tasks();
  *request.mutable_supported_tasks() = spec.supported_tasks();
  request.set_split(v1::SPLIT_TEST);
  session.error() << "measuring " << job.job.name() << " on test data at " << request.alphas_size() << " α"
                  << std::endl;
  return session.client()
      .Sweep(request, [&job](const v1::SweepPoint& point) { job.test_points.push_back(point); })
      .status();
}

absl::Status RunReport(Session& session, ReportCommandOptions& options) {
  CLIENT_RETURN_IF_ERROR(report::CheckReportDirectory(options.directory));
  const report::Gnuplot gnuplot;
  // What is missing is better told before the server is asked.
  if (!options.no_figures) {
    CLIENT_RETURN_IF_ERROR(gnuplot.Check());
    options.report.gnuplot = &gnuplot;
  }
  std::vector<v1::PatchJob> jobs;
  for (const std::string& name : options.jobs) {
    CLIENT_ASSIGN_OR_RETURN(jobs.emplace_back(), session.client().GetPatchJob(ResourceName("patchJobs", name)));
  }
  for (const std::string& path : options.json_files) {
    CLIENT_ASSIGN_OR_RETURN(jobs.emplace_back(), ReadJob(path));
  }
  CLIENT_ASSIGN_OR_RETURN(std::vector<report::ReportJob> report_jobs, report::MakeReportJobs(jobs));
  if (options.test_curve) CLIENT_RETURN_IF_ERROR(AddTestCurve(session, report_jobs.front()));
  CLIENT_ASSIGN_OR_RETURN(const std::vector<report::ReportFile> files, report::MakeReport(report_jobs, options.report));
  CLIENT_RETURN_IF_ERROR(report::WriteReport(files, options.directory));
  for (const report::ReportFile& file : files) session.out() << options.directory << "/" << file.name << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddReportCommand(CLI::App& app, Session& session) {
  auto options = std::make_shared<ReportCommandOptions>();
  CLI::App* command =
      app.add_subcommand("report", "Write tables and figures of finished patch jobs: HTML, JSON and CSV");
  command->add_option("JOB", options->jobs, "The jobs; the first one's curve is what others are held against");
  command
      ->add_option(
          "--from-json", options->json_files,
          "A file with a job as `job show JOB --output json` prints it, as often as needed: no server is asked")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command->add_option("--out", options->directory, "The directory to write into; made if it is not there")
      ->required()
      ->type_name("DIR");
  command->add_option("--title", options->report.title, "Of the page")->capture_default_str();
  command->add_flag("--no-figures", options->no_figures, "Tables alone: for machines without gnuplot");
  command->add_flag(
      "--test-curve", options->test_curve,
      "Measure the first job's curve on test data too, for the frontier figure; the server evaluates each α");
  command->callback(
      [&session, options] { session.command = [&session, options] { return RunReport(session, *options); }; });
}

}  // namespace modelpatch::client
