// The options that name a mixture: --model, --checkpoint and --alpha.
#pragma once

#include <map>
#include <string>

#include "modelpatch/v1/resources.pb.h"

namespace CLI {
class App;
}

namespace modelpatch::client {

struct MixtureOptions {
  std::string model;
  std::string checkpoint;
  double alpha = 1;
  bool allow_extrapolation = false;
};

// Adds the options. `options` outlives the parsing.
void AddMixtureOptions(CLI::App& command, MixtureOptions& options);

// For the command's callback. Throws CLI::RequiredError unless there is a --model or a --checkpoint.
void RequireMixture(const MixtureOptions& options);

// The model alone if there is no checkpoint.
v1::Mixture MixtureOf(const MixtureOptions& options);

// "validation" and "test", for --split.
const std::map<std::string, v1::Split>& SplitNames();

}  // namespace modelpatch::client
