#include "core/train/options_json.h"

#include <nlohmann/json.hpp>

#include "core/train/enum_names.h"

namespace modelpatch::train {
namespace {

using nlohmann::json;

constexpr std::pair<LearningRateSchedule, std::string_view> kSchedules[] = {
    {LearningRateSchedule::kCosine, "cosine"}, {LearningRateSchedule::kConstant, "constant"}};
constexpr std::pair<TaskBalance, std::string_view> kBalances[] = {{TaskBalance::kBySize, "size"},
                                                                  {TaskBalance::kEven, "even"}};
constexpr std::pair<patch::SearchMethod, std::string_view> kSearchMethods[] = {
    {patch::SearchMethod::kUniform, "uniform"},
    {patch::SearchMethod::kExhaustive, "exhaustive"},
    {patch::SearchMethod::kBlackBox, "black-box"},
    {patch::SearchMethod::kGradient, "gradient"}};
constexpr std::pair<patch::CoefficientGroup, std::string_view> kGroups[] = {{patch::CoefficientGroup::kModel, "model"},
                                                                            {patch::CoefficientGroup::kBlock, "block"},
                                                                            {patch::CoefficientGroup::kLayer, "layer"}};
constexpr std::pair<patch::MergeMethod, std::string_view> kMergeMethods[] = {
    {patch::MergeMethod::kTaskArithmetic, "task-arithmetic"},
    {patch::MergeMethod::kTies, "ties"},
    {patch::MergeMethod::kDare, "dare"},
    {patch::MergeMethod::kFisher, "fisher"},
    {patch::MergeMethod::kSlerp, "slerp"}};

// As the other names: an unknown one throws.
model::Precision PrecisionFromJson(const json& name) {
  const absl::StatusOr<model::Precision> precision = model::ParsePrecision(name.get_ref<const std::string&>());
  if (!precision.ok()) throw json::other_error::create(501, std::string(precision.status().message()), &name);
  return *precision;
}

}  // namespace

json OptionsToJson(const FineTuneOptions& options) {
  return {{"steps", options.steps},
          {"batch_size", options.batch_size},
          {"learning_rate", options.learning_rate},
          {"warmup_steps", options.warmup_steps},
          {"weight_decay", options.weight_decay},
          {"beta1", options.beta1},
          {"beta2", options.beta2},
          {"epsilon", options.epsilon},
          {"gradient_clip", options.gradient_clip},
          {"seed", options.seed},
          {"augment", options.augment},
          {"validation_interval_steps", options.validation_interval_steps},
          {"precision", model::NameOf(options.precision)},
          {"schedule", NameIn(kSchedules, options.schedule)},
          {"label_smoothing", options.label_smoothing},
          {"l2_penalty", options.l2_penalty},
          {"elastic_weight", options.elastic_weight},
          {"elastic_examples", options.elastic_examples},
          {"contrastive_weight", options.contrastive_weight},
          {"learned_head", options.learned_head},
          {"ema_decay", options.ema_decay},
          {"snapshot_interval_steps", options.snapshot_interval_steps}};
}

FineTuneOptions FineTuneOptionsFromJson(const json& object) {
  FineTuneOptions options;
  object.at("steps").get_to(options.steps);
  object.at("batch_size").get_to(options.batch_size);
  object.at("learning_rate").get_to(options.learning_rate);
  object.at("warmup_steps").get_to(options.warmup_steps);
  object.at("weight_decay").get_to(options.weight_decay);
  object.at("beta1").get_to(options.beta1);
  object.at("beta2").get_to(options.beta2);
  object.at("epsilon").get_to(options.epsilon);
  object.at("gradient_clip").get_to(options.gradient_clip);
  object.at("seed").get_to(options.seed);
  object.at("augment").get_to(options.augment);
  object.at("validation_interval_steps").get_to(options.validation_interval_steps);
  options.precision = PrecisionFromJson(object.at("precision"));
  options.schedule = ValueIn(kSchedules, object.at("schedule"));
  object.at("label_smoothing").get_to(options.label_smoothing);
  object.at("l2_penalty").get_to(options.l2_penalty);
  object.at("elastic_weight").get_to(options.elastic_weight);
  object.at("elastic_examples").get_to(options.elastic_examples);
  object.at("contrastive_weight").get_to(options.contrastive_weight);
  object.at("learned_head").get_to(options.learned_head);
  object.at("ema_decay").get_to(options.ema_decay);
  object.at("snapshot_interval_steps").get_to(options.snapshot_interval_steps);
  return options;
}

json OptionsToJson(const patch::CoefficientSearchOptions& options) {
  return {{"method", NameIn(kSearchMethods, options.method)},
          {"sum_at_most_one", options.sum_at_most_one},
          {"grid", options.grid},
          {"maximum_evaluations", options.maximum_evaluations},
          {"steps", options.steps},
          {"learning_rate", options.learning_rate},
          {"batch_size", options.batch_size},
          {"group", NameIn(kGroups, options.group)},
          {"seed", options.seed}};
}

patch::CoefficientSearchOptions CoefficientSearchFromJson(const json& object) {
  patch::CoefficientSearchOptions options;
  options.method = ValueIn(kSearchMethods, object.at("method"));
  object.at("sum_at_most_one").get_to(options.sum_at_most_one);
  object.at("grid").get_to(options.grid);
  object.at("maximum_evaluations").get_to(options.maximum_evaluations);
  object.at("steps").get_to(options.steps);
  object.at("learning_rate").get_to(options.learning_rate);
  object.at("batch_size").get_to(options.batch_size);
  options.group = ValueIn(kGroups, object.at("group"));
  object.at("seed").get_to(options.seed);
  return options;
}

json OptionsToJson(const patch::MergeOptions& options) {
  return {{"method", NameIn(kMergeMethods, options.method)},
          {"density", options.density},
          {"drop_rate", options.drop_rate},
          {"seed", options.seed},
          {"fisher_examples", options.fisher_examples}};
}

patch::MergeOptions MergeFromJson(const json& object) {
  patch::MergeOptions options;
  options.method = ValueIn(kMergeMethods, object.at("method"));
  object.at("density").get_to(options.density);
  object.at("drop_rate").get_to(options.drop_rate);
  object.at("seed").get_to(options.seed);
  object.at("fisher_examples").get_to(options.fisher_examples);
  return options;
}

json NameInJson(TaskBalance balance) { return NameIn(kBalances, balance); }
TaskBalance TaskBalanceFromJson(const json& name) { return ValueIn(kBalances, name); }

}  // namespace modelpatch::train
