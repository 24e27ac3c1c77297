// The options that name weights: --model, --checkpoint and --alpha, or --patch.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "client/cli/arguments.h"
#include "modelpatch/v1/resources.pb.h"

namespace CLI {
class App;
}

namespace modelpatch::client {

class Session;

struct MixtureOptions {
  std::string model;
  std::string checkpoint;
  std::string patch;
  // 1 if it is not given.
  std::optional<double> alpha;
  bool allow_extrapolation = false;
};

// Adds the options. `options` outlives the parsing.
void AddMixtureOptions(CLI::App& command, MixtureOptions& options);
// All but --model, for a command that takes the model elsewhere.
void AddPartOptions(CLI::App& command, MixtureOptions& options);

// For the command's callback. Throws CLI::ParseError unless there is a --model, a --checkpoint or a --patch, and
// --alpha has something to act upon.
void RequireMixture(const MixtureOptions& options);

// Without --patch. The model alone if there is no checkpoint.
v1::Mixture MixtureOf(const MixtureOptions& options);

// Asks the server. FAILED_PRECONDITION if both --model and --patch are given and the patch is of another model.
absl::Status CheckPatchModel(Session& session, const MixtureOptions& options);

// Puts the mixture or the patch into a request with the fields `mixture`, `patch` and `alpha`.
template <typename Request>
absl::Status SetWeights(Session& session, const MixtureOptions& options, Request& request) {
  if (options.patch.empty()) {
    *request.mutable_mixture() = MixtureOf(options);
    return absl::OkStatus();
  }
  request.set_patch(ResourceName("patches", options.patch));
  if (options.alpha.has_value()) request.set_alpha(*options.alpha);
  return CheckPatchModel(session, options);
}

// "validation" and "test", for --split.
const std::map<std::string, v1::Split>& SplitNames();

}  // namespace modelpatch::client
