#include "core/train/step_spec.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "core/train/options_json.h"

namespace modelpatch::train {
namespace {

using nlohmann::json;

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

json ToJson(const std::optional<NamedTask>& task) { return task.has_value() ? ToJson(*task) : json(); }

absl::StatusOr<std::optional<NamedTask>> OptionalTaskFromJson(const json& object) {
  if (object.is_null()) return std::nullopt;
  MP_ASSIGN_OR_RETURN(NamedTask task, TaskFromJson(object));
  return task;
}

json ToJson(const FineTuneSpec& spec) {
  return {{"model_directory", spec.model_directory},
          {"tasks", ToJson(spec.tasks)},
          {"balance", NameInJson(spec.balance)},
          {"start_directory", spec.start_directory},
          {"options", OptionsToJson(spec.options)},
          {"elastic_task", ToJson(spec.elastic_task)},
          {"contrastive_task", ToJson(spec.contrastive_task)},
          {"fisher_examples", spec.fisher_examples}};
}

absl::StatusOr<FineTuneSpec> FineTuneFromJson(const json& object) {
  FineTuneSpec spec;
  object.at("model_directory").get_to(spec.model_directory);
  MP_ASSIGN_OR_RETURN(spec.tasks, TasksFromJson(object.at("tasks")));
  spec.balance = TaskBalanceFromJson(object.at("balance"));
  object.at("start_directory").get_to(spec.start_directory);
  spec.options = FineTuneOptionsFromJson(object.at("options"));
  MP_ASSIGN_OR_RETURN(spec.elastic_task, OptionalTaskFromJson(object.at("elastic_task")));
  MP_ASSIGN_OR_RETURN(spec.contrastive_task, OptionalTaskFromJson(object.at("contrastive_task")));
  object.at("fisher_examples").get_to(spec.fisher_examples);
  return spec;
}

json ToJson(const ComparisonSpec& spec) {
  return {{"specialised_directories", spec.specialised_directories},
          {"patched_so_far_directories", spec.patched_so_far_directories},
          {"fine_tuned_so_far_directories", spec.fine_tuned_so_far_directories}};
}

ComparisonSpec ComparisonFromJson(const json& object) {
  ComparisonSpec spec;
  object.at("specialised_directories").get_to(spec.specialised_directories);
  object.at("patched_so_far_directories").get_to(spec.patched_so_far_directories);
  object.at("fine_tuned_so_far_directories").get_to(spec.fine_tuned_so_far_directories);
  return spec;
}

json ToJson(const SearchSpec& spec) {
  return {{"model_directory", spec.model_directory},
          {"fine_tune_directories", spec.fine_tune_directories},
          {"blobs", spec.blobs},
          {"start_directory", spec.start_directory},
          {"patching_tasks", ToJson(spec.patching_tasks)},
          {"supported_tasks", ToJson(spec.supported_tasks)},
          {"alphas", spec.alphas},
          {"policy", patch::NameOf(spec.policy)},
          {"fixed_alpha", spec.fixed_alpha},
          {"epsilon_points", spec.epsilon_points},
          {"precision", model::NameOf(spec.precision)},
          {"coefficient_search", OptionsToJson(spec.coefficient_search)},
          {"merge", spec.merge.has_value() ? OptionsToJson(*spec.merge) : json()},
          {"comparison", spec.comparison.has_value() ? ToJson(*spec.comparison) : json()}};
}

absl::StatusOr<SearchSpec> SearchFromJson(const json& object) {
  SearchSpec spec;
  object.at("model_directory").get_to(spec.model_directory);
  object.at("fine_tune_directories").get_to(spec.fine_tune_directories);
  object.at("blobs").get_to(spec.blobs);
  object.at("start_directory").get_to(spec.start_directory);
  MP_ASSIGN_OR_RETURN(spec.patching_tasks, TasksFromJson(object.at("patching_tasks")));
  MP_ASSIGN_OR_RETURN(spec.supported_tasks, TasksFromJson(object.at("supported_tasks")));
  object.at("alphas").get_to(spec.alphas);
  MP_ASSIGN_OR_RETURN(spec.policy, patch::ParseAlphaPolicy(object.at("policy").get<std::string>()));
  object.at("fixed_alpha").get_to(spec.fixed_alpha);
  object.at("epsilon_points").get_to(spec.epsilon_points);
  MP_ASSIGN_OR_RETURN(spec.precision, model::ParsePrecision(object.at("precision").get<std::string>()));
  spec.coefficient_search = CoefficientSearchFromJson(object.at("coefficient_search"));
  if (!object.at("merge").is_null()) spec.merge = MergeFromJson(object.at("merge"));
  if (!object.at("comparison").is_null()) spec.comparison = ComparisonFromJson(object.at("comparison"));
  return spec;
}

absl::StatusOr<StepSpec> ParseSpec(const json& object) {
  StepSpec spec;
  object.at("blob_directory").get_to(spec.blob_directory);
  object.at("device").get_to(spec.device);
  object.at("lease_bytes").get_to(spec.lease_bytes);
  object.at("threads").get_to(spec.threads);
  object.at("maximum_image_pixels").get_to(spec.decode_limits.maximum_pixels);
  if (object.contains("fine_tune")) {
    MP_ASSIGN_OR_RETURN(spec.work, FineTuneFromJson(object.at("fine_tune")));
  } else {
    MP_ASSIGN_OR_RETURN(spec.work, SearchFromJson(object.at("search")));
  }
  return spec;
}

}  // namespace

std::string StepSpecToJson(const StepSpec& spec) {
  json object = {{"version", 2},
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
