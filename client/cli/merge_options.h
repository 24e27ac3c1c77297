// The options that say how several checkpoints become one task vector, and the message that they make.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "modelpatch/v1/merge.pb.h"

namespace CLI {
class App;
}

namespace modelpatch::client {

struct MergeArguments {
  // Empty: none.
  std::string method;
  std::optional<double> density;
  std::optional<double> drop_rate;
  std::optional<int64_t> seed;
  std::optional<int32_t> fisher_examples;
};

// `arguments` outlives the parsing.
void AddMergeOptions(CLI::App& command, MergeArguments& arguments);

// Nothing without a method. INVALID_ARGUMENT if an option belongs to another method.
absl::StatusOr<std::optional<v1::Merge>> MergeOf(const MergeArguments& arguments);

// `ties (density 0.2)`; "" for none.
std::string MergeText(const v1::Merge& merge);

}  // namespace modelpatch::client
