#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/demo.h"
#include "client/cli/demo_paths.h"
#include "client/cli/session.h"

namespace modelpatch::client {

void AddDemoCommand(CLI::App& app, Session& session) {
  auto options = std::make_shared<DemoOptions>();
  CLI::App* demo = app.add_subcommand("demo", "Patch a small model end to end, with a server of its own");
  demo->add_option("--server-binary", options->server_binary, "modelpatch-server (default: beside this program)");
  demo->add_option("--model-dir", options->model_directory, "The demo's model (default: the one that is shipped)");
  demo->add_option("--images-dir", options->images_directory, "PNG files to classify at the end");
  demo->add_option("--seed", options->seed, "The job's seed")->check(CLI::NonNegativeNumber)->capture_default_str();
  demo->add_flag("--keep", options->keep, "Leave the server running");
  demo->add_option("--json", options->json_file, "Write the figures to this file");
  demo->add_option("--steps", options->steps, "Optimiser steps")->capture_default_str();
  demo->add_option("--batch-size", options->batch_size, "Examples a step")->capture_default_str();
  demo->add_option("--learning-rate", options->learning_rate, "At the end of the warm-up")->capture_default_str();
  demo->add_option("--epsilon", options->epsilon_points, "Points that the supported task may lose on validation data")
      ->capture_default_str();
  demo->callback([&session, options] {
    session.command = [&session, options] {
      FillDemoPaths(*options);
      return RunDemo(session, *options);
    };
  });
}

}  // namespace modelpatch::client
