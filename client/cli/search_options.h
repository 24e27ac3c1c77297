// The options of `job submit` that say how the coefficients of several checkpoints are searched, and the message that
// they make.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "modelpatch/v1/patch_job.pb.h"

namespace CLI {
class App;
}

namespace modelpatch::client {

struct SearchArguments {
  // Empty: the server's choice.
  std::string method;
  std::string grid;
  std::optional<int32_t> evaluations;
  std::optional<int32_t> steps;
  std::optional<double> learning_rate;
  std::optional<int32_t> batch_size;
  v1::CoefficientGroup group = v1::COEFFICIENT_GROUP_UNSPECIFIED;
  std::optional<int64_t> seed;
  bool sum_at_most_one = false;
};

// `arguments` outlives the parsing.
void AddSearchOptions(CLI::App& submit, SearchArguments& arguments);

// Nothing if nothing was said. INVALID_ARGUMENT if an option belongs to another method, or if --search-grid cannot be
// read.
absl::StatusOr<std::optional<v1::CoefficientSearch>> CoefficientSearchOf(const SearchArguments& arguments);

}  // namespace modelpatch::client
