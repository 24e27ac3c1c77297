#include "client/cli/search_options.h"

#include <CLI/CLI.hpp>
#include <map>
#include <utility>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/choices.h"
#include "client/cli/option_scope.h"
#include "client/status_macros.h"

namespace modelpatch::client {
namespace {

absl::Status CheckMethod(const SearchArguments& arguments) {
  const auto belongs = [&](bool given, const char* option, const std::vector<std::string>& methods) {
    return CheckBelongs(given, option, "--search", methods, arguments.method);
  };
  CLIENT_RETURN_IF_ERROR(belongs(!arguments.grid.empty(), "--search-grid", {"exhaustive"}));
  CLIENT_RETURN_IF_ERROR(belongs(arguments.evaluations.has_value(), "--search-evaluations", {"black-box"}));
  CLIENT_RETURN_IF_ERROR(belongs(arguments.steps.has_value(), "--search-steps", {"gradient"}));
  CLIENT_RETURN_IF_ERROR(belongs(arguments.learning_rate.has_value(), "--search-learning-rate", {"gradient"}));
  CLIENT_RETURN_IF_ERROR(belongs(arguments.batch_size.has_value(), "--search-batch-size", {"gradient"}));
  CLIENT_RETURN_IF_ERROR(
      belongs(arguments.group != v1::COEFFICIENT_GROUP_UNSPECIFIED, "--coefficient-group", {"gradient"}));
  return belongs(arguments.seed.has_value(), "--search-seed", {"black-box", "gradient"});
}

absl::Status FillMethod(const SearchArguments& arguments, v1::CoefficientSearch& search) {
  if (arguments.method == "uniform") search.mutable_uniform();
  if (arguments.method == "exhaustive") {
    v1::CoefficientSearch::Exhaustive& exhaustive = *search.mutable_exhaustive();
    if (!arguments.grid.empty()) {
      CLIENT_ASSIGN_OR_RETURN(const std::vector<double> values, ParseAlphas(arguments.grid));
      exhaustive.mutable_coefficients()->Add(values.begin(), values.end());
    }
  }
  if (arguments.method == "black-box") {
    v1::CoefficientSearch::BlackBox& black_box = *search.mutable_black_box();
    if (arguments.evaluations) black_box.set_maximum_evaluations(*arguments.evaluations);
    black_box.set_seed(arguments.seed.value_or(0));
  }
  if (arguments.method == "gradient") {
    v1::CoefficientSearch::Gradient& gradient = *search.mutable_gradient();
    if (arguments.steps) gradient.set_steps(*arguments.steps);
    if (arguments.learning_rate) gradient.set_learning_rate(*arguments.learning_rate);
    if (arguments.batch_size) gradient.set_batch_size(*arguments.batch_size);
    gradient.set_group(arguments.group);
    gradient.set_seed(arguments.seed.value_or(0));
  }
  return absl::OkStatus();
}

}  // namespace

void AddSearchOptions(CLI::App& submit, SearchArguments& arguments) {
  const std::map<std::string, v1::CoefficientGroup> groups = {{"model", v1::COEFFICIENT_GROUP_MODEL},
                                                              {"block", v1::COEFFICIENT_GROUP_BLOCK},
                                                              {"layer", v1::COEFFICIENT_GROUP_LAYER}};
  submit
      .add_option("--search", arguments.method,
                  "How the coefficients of several checkpoints are searched (default: uniform)")
      ->check(CLI::IsMember({"uniform", "exhaustive", "black-box", "gradient"}).description(""))
      ->type_name("uniform|exhaustive|black-box|gradient");
  submit.add_option("--search-grid", arguments.grid,
                    "exhaustive: the values of each coefficient, FROM:TO:STEP or A,B,C (default: 0:1:0.1)");
  submit.add_option("--search-evaluations", arguments.evaluations,
                    "black-box: passes over the validation data at most (default: 50)");
  submit.add_option("--search-steps", arguments.steps, "gradient: steps of the descent (default: 30)");
  submit.add_option("--search-learning-rate", arguments.learning_rate,
                    "gradient: of Adam, in coefficients a step (default: 0.05)");
  submit.add_option("--search-batch-size", arguments.batch_size,
                    "gradient: validation examples of each task a step (default: 128)");
  submit
      .add_option("--coefficient-group", arguments.group,
                  "gradient: which weights share a coefficient (default: model)")
      ->transform(OneOf(groups))
      ->type_name("model|block|layer");
  submit.add_option("--search-seed", arguments.seed, "black-box, gradient: the seed of the search (default: 0)");
  submit.add_flag("--sum-at-most-one", arguments.sum_at_most_one, "Coefficients add up to 1 at most");
}

absl::StatusOr<std::optional<v1::CoefficientSearch>> CoefficientSearchOf(const SearchArguments& arguments) {
  CLIENT_RETURN_IF_ERROR(CheckMethod(arguments));
  if (arguments.method.empty() && !arguments.sum_at_most_one) return std::optional<v1::CoefficientSearch>();
  v1::CoefficientSearch search;
  CLIENT_RETURN_IF_ERROR(FillMethod(arguments, search));
  search.set_sum_at_most_one(arguments.sum_at_most_one);
  return std::optional<v1::CoefficientSearch>(std::move(search));
}

}  // namespace modelpatch::client
