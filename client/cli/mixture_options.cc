#include "client/cli/mixture_options.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "client/cli/session.h"
#include "client/status_macros.h"

namespace modelpatch::client {

void AddMixtureOptions(CLI::App& command, MixtureOptions& options) {
  command.add_option("--model", options.model, "The model (default: the checkpoint's or the patch's)");
  AddPartOptions(command, options);
}

void AddPartOptions(CLI::App& command, MixtureOptions& options) {
  CLI::Option* checkpoint = command.add_option("--checkpoint", options.checkpoint, "A checkpoint of the model");
  command.add_option("--patch", options.patch, "A patch: NAME, NAME@VERSION or NAME@ALIAS")->excludes(checkpoint);
  command.add_option("--alpha", options.alpha,
                     "How far to go from the model to the checkpoint, or to the patch as it is stored (default: 1)");
  command.add_flag("--allow-extrapolation", options.allow_extrapolation, "Let α of a checkpoint lie outside [0, 1]");
}

void RequireMixture(const MixtureOptions& options) {
  if (options.model.empty() && options.checkpoint.empty() && options.patch.empty()) {
    throw CLI::RequiredError("--model, --checkpoint or --patch");
  }
  if (options.alpha.has_value() && options.checkpoint.empty() && options.patch.empty()) {
    throw CLI::RequiresError("--alpha", "--checkpoint or --patch");
  }
}

v1::Mixture MixtureOf(const MixtureOptions& options) {
  v1::Mixture mixture;
  if (!options.model.empty()) mixture.set_model(ResourceName("models", options.model));
  if (!options.checkpoint.empty()) {
    v1::MixtureTerm& term = *mixture.add_terms();
    term.set_checkpoint(ResourceName("checkpoints", options.checkpoint));
    term.set_coefficient(options.alpha.value_or(1));
  }
  mixture.set_allow_extrapolation(options.allow_extrapolation);
  return mixture;
}

absl::Status CheckPatchModel(Session& session, const MixtureOptions& options) {
  if (options.model.empty() || options.patch.empty()) return absl::OkStatus();
  const std::string name = ResourceName("patches", options.patch);
  CLIENT_ASSIGN_OR_RETURN(const v1::Patch patch, session.client().GetPatch(name));
  // A plain name gives all versions.
  const std::string wanted = ResourceName("models", options.model);
  for (const v1::PatchVersion& version : patch.versions()) {
    if (patch.versions_size() > 1 && version.version() != patch.served_version()) continue;
    if (version.mixture().model() == wanted) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(version.name(), " is of ", version.mixture().model(), ", not of ", wanted));
  }
  return absl::OkStatus();
}

const std::map<std::string, v1::Split>& SplitNames() {
  static const std::map<std::string, v1::Split> kNames = {{"validation", v1::SPLIT_VALIDATION},
                                                          {"test", v1::SPLIT_TEST}};
  return kNames;
}

}  // namespace modelpatch::client
