#include "server/search_conversion.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace modelpatch::server {
namespace {

constexpr int kMaximumGridValues = 21;

absl::Status BadOption(const std::string& field, const std::string& message) {
  return base::WithField(base::InvalidArgument("BAD_SEARCH_OPTION", message), field);
}

absl::StatusOr<uint64_t> SeedOf(int64_t seed) {
  if (seed >= 0) return static_cast<uint64_t>(seed);
  return BadOption("seed", fmt::format("seed is {}; it must not be negative", seed));
}

absl::Status FillGrid(v1::CoefficientSearch::Exhaustive& exhaustive, std::vector<double>& grid) {
  if (exhaustive.coefficients().empty()) {
    for (int i = 0; i <= 10; ++i) exhaustive.add_coefficients(i / 10.0);
  }
  if (exhaustive.coefficients_size() > kMaximumGridValues) {
    return BadOption("coefficients", fmt::format("{} values were given; give at most {}",
                                                 exhaustive.coefficients_size(), kMaximumGridValues));
  }
  for (int i = 0; i < exhaustive.coefficients_size(); ++i) {
    const double value = exhaustive.coefficients(i);
    if (!(value >= 0 && value <= 1)) {
      return BadOption(fmt::format("coefficients[{}]", i),
                       fmt::format("the coefficient {} does not lie in [0, 1]", value));
    }
  }
  grid.assign(exhaustive.coefficients().begin(), exhaustive.coefficients().end());
  grid.push_back(0);
  std::sort(grid.begin(), grid.end());
  grid.erase(std::unique(grid.begin(), grid.end()), grid.end());
  // −0 is 0.
  grid.front() = 0;
  exhaustive.mutable_coefficients()->Assign(grid.begin(), grid.end());
  return absl::OkStatus();
}

absl::Status FillGradient(v1::CoefficientSearch::Gradient& gradient, patch::CoefficientSearchOptions& options) {
  if (gradient.has_steps()) options.steps = gradient.steps();
  if (gradient.has_learning_rate()) options.learning_rate = gradient.learning_rate();
  if (gradient.has_batch_size()) options.batch_size = gradient.batch_size();
  switch (gradient.group()) {
    case v1::COEFFICIENT_GROUP_UNSPECIFIED:
    case v1::COEFFICIENT_GROUP_MODEL:
      options.group = patch::CoefficientGroup::kModel;
      break;
    case v1::COEFFICIENT_GROUP_BLOCK:
      options.group = patch::CoefficientGroup::kBlock;
      break;
    case v1::COEFFICIENT_GROUP_LAYER:
      options.group = patch::CoefficientGroup::kLayer;
      break;
    default:
      return BadOption("group", fmt::format("{} is no group of coefficients; use MODEL, BLOCK or LAYER",
                                            static_cast<int>(gradient.group())));
  }
  MP_ASSIGN_OR_RETURN(options.seed, SeedOf(gradient.seed()));
  gradient.set_steps(static_cast<int32_t>(options.steps));
  gradient.set_learning_rate(options.learning_rate);
  gradient.set_batch_size(static_cast<int32_t>(options.batch_size));
  if (gradient.group() == v1::COEFFICIENT_GROUP_UNSPECIFIED) gradient.set_group(v1::COEFFICIENT_GROUP_MODEL);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<patch::CoefficientSearchOptions> ResolveCoefficientSearch(v1::CoefficientSearch& search,
                                                                         size_t checkpoints) {
  patch::CoefficientSearchOptions options;
  options.sum_at_most_one = search.sum_at_most_one();
  absl::Status filled;
  std::string field = "uniform";
  switch (search.method_case()) {
    case v1::CoefficientSearch::kUniform:
    case v1::CoefficientSearch::METHOD_NOT_SET:
      search.mutable_uniform();
      break;
    case v1::CoefficientSearch::kExhaustive:
      options.method = patch::SearchMethod::kExhaustive;
      field = "exhaustive";
      filled = FillGrid(*search.mutable_exhaustive(), options.grid);
      break;
    case v1::CoefficientSearch::kBlackBox: {
      options.method = patch::SearchMethod::kBlackBox;
      field = "black_box";
      auto& black_box = *search.mutable_black_box();
      if (black_box.has_maximum_evaluations()) options.maximum_evaluations = black_box.maximum_evaluations();
      black_box.set_maximum_evaluations(static_cast<int32_t>(options.maximum_evaluations));
      const auto seed = SeedOf(black_box.seed());
      filled = seed.status();
      options.seed = seed.value_or(0);
      break;
    }
    case v1::CoefficientSearch::kGradient:
      options.method = patch::SearchMethod::kGradient;
      field = "gradient";
      filled = FillGradient(*search.mutable_gradient(), options);
      break;
  }
  if (filled.ok()) filled = patch::CheckCoefficientSearch(options, checkpoints);
  if (!filled.ok()) return base::WithField(filled, field);
  return options;
}

}  // namespace modelpatch::server
