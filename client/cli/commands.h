// The commands of `modelpatch`, one function for each group. Each adds its subcommands to `app`; the one that the line
// names sets `session.command`. Both outlive the other and the parsing.
#pragma once

namespace CLI {
class App;
}

namespace modelpatch::client {

class Session;

void AddModelCommands(CLI::App& app, Session& session);
void AddTaskCommands(CLI::App& app, Session& session);
void AddJobCommands(CLI::App& app, Session& session);
void AddCheckpointCommands(CLI::App& app, Session& session);
void AddPatchCommands(CLI::App& app, Session& session);
// interpolate, sweep, evaluate.
void AddMixtureCommands(CLI::App& app, Session& session);
// classify, encode-image, encode-text, tokenize.
void AddInferenceCommands(CLI::App& app, Session& session);
// report.
void AddReportCommand(CLI::App& app, Session& session);
// bench.
void AddBenchCommand(CLI::App& app, Session& session);
void AddDemoCommand(CLI::App& app, Session& session);

}  // namespace modelpatch::client
