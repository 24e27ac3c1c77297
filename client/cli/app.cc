#include "client/cli/app.h"

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "client/cli/choices.h"
#include "client/cli/commands.h"
#include "client/cli/session.h"
#include "client/status_details.h"

namespace modelpatch::client {

int RunApp(int argc, const char* const* argv, std::ostream& out, std::ostream& error) {
  Session session(out, error);
  CLI::App app("Patches open-vocabulary image classifiers and asks them, through a modelpatch-server.", "modelpatch");
  app.require_subcommand(1);
  // --server and --output may also follow the command.
  app.fallthrough();
  app.add_option("--server", session.server, "The server's gRPC address, HOST:PORT")
      ->envname("MODELPATCH_SERVER")
      ->capture_default_str();
  app.add_option("--output", session.json, "table, or json: proto3 JSON, one object a line")
      ->transform(OneOf(std::map<std::string, bool>{{"table", false}, {"json", true}}))
      ->type_name("table|json")
      ->default_str("table");
  app.add_option("--timeout", session.timeout_seconds,
                 "Seconds that a call may take (default: 60, or an hour where data are read)")
      ->check(CLI::Range(0.001, 1e6));
  AddModelCommands(app, session);
  AddTaskCommands(app, session);
  AddJobCommands(app, session);
  AddCheckpointCommands(app, session);
  AddPatchCommands(app, session);
  AddMixtureCommands(app, session);
  AddInferenceCommands(app, session);
  AddReportCommand(app, session);
  AddBenchCommand(app, session);
  AddDemoCommand(app, session);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& parse_error) {
    return app.exit(parse_error, out, error) == 0 ? 0 : 2;
  }
  const absl::Status status = session.command();
  if (status.ok()) return 0;
  error << "modelpatch: " << Describe(status) << std::endl;
  if (absl::IsUnavailable(status) && ReasonOf(status).empty()) {
    error << "  is modelpatch-server running at " << session.server
          << "? --server and $MODELPATCH_SERVER say where it is" << std::endl;
  }
  return 1;
}

}  // namespace modelpatch::client
