// modelpatch-worker: runs one step of a job, under its supervisor. Started by the server; or by whatever stands in for
// it.

#include <CLI/CLI.hpp>
#include <string>

#include "core/sched/supervisor.h"
#include "server/version.h"
#include "server/worker/worker.h"

int main(int argc, char** argv) {
  CLI::App app("Runs one step of a patch job, as its directory says. Started by modelpatch-server.",
               "modelpatch-worker");
  app.set_version_flag("--version", "modelpatch-worker " + modelpatch::server::Version());
  std::string step_directory;
  app.add_option("--step-dir", step_directory, "The step's directory, with spec.json and lease.json")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return modelpatch::sched::RunSupervised(step_directory,
                                          [&] { return modelpatch::server::RunWorker(step_directory); });
}
