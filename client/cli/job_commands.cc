#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/job_submit.h"
#include "client/cli/job_text.h"
#include "client/cli/job_watch.h"
#include "client/cli/progress_bar.h"
#include "client/cli/session.h"
#include "client/status_macros.h"
#include "google/protobuf/empty.pb.h"

namespace modelpatch::client {
namespace {

absl::Status PrintJob(Session& session, const v1::PatchJob& job) {
  return session.Print(job, [](const v1::PatchJob& shown) { return JobText(shown, LocaleIsUtf8()); });
}

// Follows the job, prints it as it ended, and fails if it did.
absl::Status WatchAndPrint(Session& session, const std::string& name) {
  CLIENT_ASSIGN_OR_RETURN(const v1::PatchJob job, WatchJob(session, name));
  CLIENT_RETURN_IF_ERROR(PrintJob(session, job));
  return OutcomeOf(job);
}

void AddSubmit(CLI::App& job, Session& session) {
  auto options = std::make_shared<SubmitOptions>();
  CLI::App* submit = job.add_subcommand("submit", "Submit a patch job: fine-tune, look for α, evaluate");
  AddSubmitOptions(*submit, *options);
  submit->callback([&session, options] {
    session.command = [&session, options]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::CreatePatchJobRequest request, RequestOf(*options));
      CLIENT_ASSIGN_OR_RETURN(const v1::PatchJob created, session.client().CreatePatchJob(request));
      if (!options->watch) return PrintJob(session, created);
      session.error() << "submitted " << created.name() << std::endl;
      return WatchAndPrint(session, created.name());
    };
  });
}

// A subcommand on one job: `run` gets the job's full name.
void AddOnJob(CLI::App& job, Session& session, const std::string& verb, const std::string& description,
              const std::function<absl::Status(const std::string&)>& run) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = job.add_subcommand(verb, description);
  command->add_option("JOB", *name, "The job")->required();
  command->callback(
      [&session, name, run] { session.command = [name, run] { return run(ResourceName("patchJobs", *name)); }; });
}

}  // namespace

void AddJobCommands(CLI::App& app, Session& session) {
  CLI::App* job = app.add_subcommand("job", "Submit patch jobs, follow and end them")->require_subcommand(1);
  AddSubmit(*job, session);

  job->add_subcommand("list", "List all jobs")->callback([&session] {
    session.command = [&session]() -> absl::Status {
      CLIENT_ASSIGN_OR_RETURN(const v1::ListPatchJobsResponse all,
                              AllPages<v1::ListPatchJobsRequest>([&](const v1::ListPatchJobsRequest& page) {
                                return session.client().ListPatchJobs(page);
                              }));
      return session.Print(all, JobsText);
    };
  });

  AddOnJob(*job, session, "show", "Show a job and what came of it",
           [&session](const std::string& name) -> absl::Status {
             CLIENT_ASSIGN_OR_RETURN(const v1::PatchJob result, session.client().GetPatchJob(name));
             return PrintJob(session, result);
           });
  AddOnJob(*job, session, "watch", "Follow a job until it has ended; fails if the job does",
           [&session](const std::string& name) { return WatchAndPrint(session, name); });
  AddOnJob(*job, session, "cancel", "Cancel a job", [&session](const std::string& name) -> absl::Status {
    CLIENT_ASSIGN_OR_RETURN(const v1::PatchJob result, session.client().CancelPatchJob(name));
    return PrintJob(session, result);
  });
  AddOnJob(*job, session, "delete", "Delete a job that has ended; its checkpoints stay",
           [&session](const std::string& name) -> absl::Status {
             CLIENT_RETURN_IF_ERROR(session.client().DeletePatchJob(name));
             return session.Print(google::protobuf::Empty(), [&](const auto&) { return "deleted " + name + "\n"; });
           });
}

}  // namespace modelpatch::client
