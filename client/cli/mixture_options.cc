#include "client/cli/mixture_options.h"

#include <CLI/CLI.hpp>

#include "client/cli/arguments.h"

namespace modelpatch::client {

void AddMixtureOptions(CLI::App& command, MixtureOptions& options) {
  command.add_option("--model", options.model, "The model (default: the checkpoint's)");
  CLI::Option* checkpoint = command.add_option("--checkpoint", options.checkpoint, "A checkpoint of the model");
  command.add_option("--alpha", options.alpha, "How far to go from the model to the checkpoint")
      ->needs(checkpoint)
      ->capture_default_str();
  command.add_flag("--allow-extrapolation", options.allow_extrapolation, "Let α lie outside [0, 1]");
}

void RequireMixture(const MixtureOptions& options) {
  if (options.model.empty() && options.checkpoint.empty()) throw CLI::RequiredError("--model or --checkpoint");
}

v1::Mixture MixtureOf(const MixtureOptions& options) {
  v1::Mixture mixture;
  if (!options.model.empty()) mixture.set_model(ResourceName("models", options.model));
  if (!options.checkpoint.empty()) {
    v1::MixtureTerm& term = *mixture.add_terms();
    term.set_checkpoint(ResourceName("checkpoints", options.checkpoint));
    term.set_coefficient(options.alpha);
  }
  mixture.set_allow_extrapolation(options.allow_extrapolation);
  return mixture;
}

const std::map<std::string, v1::Split>& SplitNames() {
  static const std::map<std::string, v1::Split> kNames = {{"validation", v1::SPLIT_VALIDATION},
                                                          {"test", v1::SPLIT_TEST}};
  return kNames;
}

}  // namespace modelpatch::client
