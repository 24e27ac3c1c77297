#include "core/train/step_spec.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

namespace modelpatch::train {
namespace {

using nlohmann::json;

absl::Status BadOption(std::string_view field, std::string_view message) {
  return base::WithField(base::InvalidArgument("BAD_FINE_TUNE_OPTION", message), field);
}

absl::Status CheckRange(std::string_view field, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return BadOption(field, fmt::format("{} is {}; it must lie in [{}, {}]", field, value, low, high));
}

absl::Status CheckRange(std::string_view field, double value, double low, double high) {
  if (std::isfinite(value) && value >= low && value <= high) return absl::OkStatus();
  return BadOption(field, fmt::format("{} is {}; it must lie in [{}, {}]", field, value, low, high));
}

json ToJson(const FineTuneOptions& options) {
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
          {"precision", model::NameOf(options.precision)}};
}

absl::StatusOr<FineTuneOptions> OptionsFromJson(const json& object) {
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
  MP_ASSIGN_OR_RETURN(options.precision, model::ParsePrecision(object.value("precision", "fp32")));
  return options;
}

json ToJson(const NamedTask& task) {
  return {{"name", task.name}, {"source", json::parse(data::TaskSourceToJson(task.source))}};
}

absl::StatusOr<NamedTask> TaskFromJson(const json& object) {
  MP_ASSIGN_OR_RETURN(data::TaskSource source, data::TaskSourceFromJson(object.at("source").dump()));
  return NamedTask{object.at("name").get<std::string>(), std::move(source)};
}

json ToJson(const std::vector<NamedTask>& tasks) {
  json list = json::array();
  for (const NamedTask& task : tasks) list.push_back(ToJson(task));
  return list;
}

absl::StatusOr<std::vector<NamedTask>> TasksFromJson(const json& list) {
  std::vector<NamedTask> tasks;
  for (const json& object : list) {
    MP_ASSIGN_OR_RETURN(NamedTask task, TaskFromJson(object));
    tasks.push_back(std::move(task));
  }
  return tasks;
}

json ToJson(const FineTuneSpec& spec) {
  return {{"model_directory", spec.model_directory}, {"task", ToJson(spec.task)}, {"options", ToJson(spec.options)}};
}

json ToJson(const SearchSpec& spec) {
  return {{"model_directory", spec.model_directory},
          {"fine_tune_directory", spec.fine_tune_directory},
          {"patching_tasks", ToJson(spec.patching_tasks)},
          {"supported_tasks", ToJson(spec.supported_tasks)},
          {"alphas", spec.alphas},
          {"policy", patch::NameOf(spec.policy)},
          {"fixed_alpha", spec.fixed_alpha},
          {"epsilon_points", spec.epsilon_points},
          {"precision", model::NameOf(spec.precision)}};
}

absl::StatusOr<StepSpec> ParseSpec(const json& object) {
  StepSpec spec;
  object.at("blob_directory").get_to(spec.blob_directory);
  object.at("device").get_to(spec.device);
  object.at("lease_bytes").get_to(spec.lease_bytes);
  object.at("threads").get_to(spec.threads);
  object.at("maximum_image_pixels").get_to(spec.decode_limits.maximum_pixels);
  if (object.contains("fine_tune")) {
    const json& work = object.at("fine_tune");
    FineTuneSpec fine_tune;
    work.at("model_directory").get_to(fine_tune.model_directory);
    MP_ASSIGN_OR_RETURN(fine_tune.task, TaskFromJson(work.at("task")));
    MP_ASSIGN_OR_RETURN(fine_tune.options, OptionsFromJson(work.at("options")));
    spec.work = std::move(fine_tune);
    return spec;
  }
  const json& work = object.at("search");
  SearchSpec search;
  work.at("model_directory").get_to(search.model_directory);
  work.at("fine_tune_directory").get_to(search.fine_tune_directory);
  MP_ASSIGN_OR_RETURN(search.patching_tasks, TasksFromJson(work.at("patching_tasks")));
  MP_ASSIGN_OR_RETURN(search.supported_tasks, TasksFromJson(work.at("supported_tasks")));
  work.at("alphas").get_to(search.alphas);
  MP_ASSIGN_OR_RETURN(search.policy, patch::ParseAlphaPolicy(work.at("policy").get<std::string>()));
  work.at("fixed_alpha").get_to(search.fixed_alpha);
  work.at("epsilon_points").get_to(search.epsilon_points);
  MP_ASSIGN_OR_RETURN(search.precision, model::ParsePrecision(work.value("precision", "fp32")));
  spec.work = std::move(search);
  return spec;
}

}  // namespace

absl::Status CheckFineTuneOptions(const FineTuneOptions& options) {
  MP_RETURN_IF_ERROR(CheckRange("steps", options.steps, int64_t{1}, int64_t{10'000'000}));
  MP_RETURN_IF_ERROR(CheckRange("batch_size", options.batch_size, int64_t{1}, int64_t{65'536}));
  MP_RETURN_IF_ERROR(CheckRange("learning_rate", options.learning_rate, 1e-12, 10.0));
  // Beyond the last step the cosine would divide by nothing.
  MP_RETURN_IF_ERROR(CheckRange("warmup_steps", options.warmup_steps, int64_t{0}, options.steps));
  MP_RETURN_IF_ERROR(CheckRange("weight_decay", options.weight_decay, 0.0, 10.0));
  MP_RETURN_IF_ERROR(CheckRange("beta1", options.beta1, 0.0, 0.999999));
  MP_RETURN_IF_ERROR(CheckRange("beta2", options.beta2, 0.0, 0.999999));
  MP_RETURN_IF_ERROR(CheckRange("epsilon", options.epsilon, 1e-16, 1.0));
  MP_RETURN_IF_ERROR(CheckRange("gradient_clip", options.gradient_clip, 0.0, 1e6));
  return CheckRange("validation_interval_steps", options.validation_interval_steps, int64_t{0}, options.steps);
}

std::string StepSpecToJson(const StepSpec& spec) {
  json object = {{"version", 1},
                 {"blob_directory", spec.blob_directory},
                 {"device", spec.device},
                 {"lease_bytes", spec.lease_bytes},
                 {"threads", spec.threads},
                 {"maximum_image_pixels", spec.decode_limits.maximum_pixels}};
  if (const auto* fine_tune = std::get_if<FineTuneSpec>(&spec.work)) {
    object["fine_tune"] = ToJson(*fine_tune);
  } else {
    object["search"] = ToJson(std::get<SearchSpec>(spec.work));
  }
  return object.dump(2);
}

absl::StatusOr<StepSpec> StepSpecFromJson(std::string_view text) {
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return base::InvalidArgument("BAD_STEP_SPEC", "the step's spec is not a JSON object");
  try {
    return ParseSpec(object);
  } catch (const json::exception& error) {
    return base::InvalidArgument("BAD_STEP_SPEC",
                                 fmt::format("the step's spec is not one of this version: {}", error.what()));
  }
}

}  // namespace modelpatch::train
