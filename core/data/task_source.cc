#include "core/data/task_source.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "core/data/class_partition.h"
#include "core/data/generated_dataset.h"
#include "core/data/prompt_templates.h"
#include "core/data/show_json.h"

namespace modelpatch::data {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaximumGenerated = 10'000'000;

bool Read(const Json& json, std::string& value) {
  if (!json.is_string()) return false;
  value = json.get_ref<const std::string&>();
  return true;
}

bool Read(const Json& json, int64_t& value) {
  if (!json.is_number_integer()) return false;
  if (json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) return false;
  value = json.get<int64_t>();
  return true;
}

bool Read(const Json& json, uint64_t& value) {
  if (!json.is_number_unsigned()) return false;
  value = json.get<uint64_t>();
  return true;
}

bool Read(const Json& json, double& value) {
  if (!json.is_number()) return false;
  value = json.get<double>();
  return true;
}

bool Read(const Json& json, std::vector<std::string>& value) {
  if (!json.is_array()) return false;
  value.clear();
  for (const Json& entry : json) {
    if (!entry.is_string()) return false;
    value.push_back(entry.get_ref<const std::string&>());
  }
  return true;
}

// Calls visit(key, member) for each member; `Source` is const or not.
template <typename Source, typename Visit>
void VisitMembers(Source& source, const Visit& visit) {
  visit("format", source.format);
  visit("train", source.train);
  visit("validation", source.validation);
  visit("test", source.test);
  visit("generator", source.generator);
  visit("generated_train", source.generated_train);
  visit("generated_validation", source.generated_validation);
  visit("generated_test", source.generated_test);
  visit("generator_seed", source.generator_seed);
  visit("class_names", source.class_names);
  visit("templates", source.templates);
  visit("validation_fraction", source.validation_fraction);
  visit("split_seed", source.split_seed);
  visit("partition_parts", source.partition_parts);
  visit("partition_part", source.partition_part);
  visit("partition_seed", source.partition_seed);
}

absl::Status FieldError(std::string_view field, std::string_view reason, std::string_view message) {
  return base::WithField(base::InvalidArgument(reason, message), field);
}

absl::Status CheckPath(std::string_view field, std::string_view path) {
  if (path.find('\0') != std::string_view::npos || !base::IsValidUtf8(path)) {
    return FieldError(field, "BAD_PATH",
                      fmt::format("'{}' cannot be a path: it must be UTF-8 without NUL", base::Printable(path)));
  }
  return absl::OkStatus();
}

absl::Status CheckGenerated(const TaskSource& source, size_t class_count) {
  for (const auto& [field, path] : {std::pair{"train", &source.train}, std::pair{"validation", &source.validation},
                                    std::pair{"test", &source.test}}) {
    if (!path->empty()) {
      return FieldError(field, "UNEXPECTED_FIELD",
                        fmt::format("a generator reads no files, but a path is given: '{}'", base::Printable(*path)));
    }
  }
  auto generator = FindGenerator(source.generator);
  if (!generator.ok()) return base::WithField(generator.status(), "generator");
  for (const auto& [field, count] : {std::pair{"generated_train", source.generated_train},
                                     std::pair{"generated_validation", source.generated_validation},
                                     std::pair{"generated_test", source.generated_test}}) {
    if (count < 0 || count > kMaximumGenerated) {
      return FieldError(field, "BAD_COUNT",
                        fmt::format("{} examples cannot be generated; 0 to {} can", count, kMaximumGenerated));
    }
  }
  if (source.generated_train == 0 && source.generated_test == 0) {
    return FieldError("generated_test", "MISSING_SPLITS",
                      "the task has neither training nor test examples; ask for some");
  }
  const size_t own = (*generator)->class_names().size();
  if (class_count != 0 && class_count != own) {
    return FieldError(
        "class_names", "CLASS_COUNT_MISMATCH",
        fmt::format("there are {} class names; the generator '{}' has {} classes", class_count, source.generator, own));
  }
  return absl::OkStatus();
}

absl::Status CheckFiles(const TaskSource& source, size_t class_count) {
  if (!source.generator.empty()) {
    return FieldError("generator", "UNEXPECTED_FIELD",
                      fmt::format("a generator is named ('{}'), but the format is '{}'",
                                  base::Printable(source.generator), source.format));
  }
  for (const auto& [field, count] : {std::pair{"generated_train", source.generated_train},
                                     std::pair{"generated_validation", source.generated_validation},
                                     std::pair{"generated_test", source.generated_test}}) {
    if (count != 0) {
      return FieldError(
          field, "UNEXPECTED_FIELD",
          fmt::format("{} generated examples are asked for, but the format is '{}'", count, source.format));
    }
  }
  MP_RETURN_IF_ERROR(CheckPath("train", source.train));
  MP_RETURN_IF_ERROR(CheckPath("validation", source.validation));
  MP_RETURN_IF_ERROR(CheckPath("test", source.test));
  if (source.train.empty() && source.test.empty()) {
    return FieldError("test", "MISSING_SPLITS", "the task has neither a training nor a test split; give a path to one");
  }
  if (source.format == "json-lines") {
    if (class_count == 0) return absl::OkStatus();
    return FieldError("class_names", "UNEXPECTED_FIELD",
                      fmt::format("{} class names are given, but the classes of the format 'json-lines' are the "
                                  "candidates of its examples; give none",
                                  class_count));
  }
  if (source.format != "image-folder" && class_count == 0) {
    return FieldError("class_names", "CLASS_NAMES_REQUIRED",
                      fmt::format("the format '{}' has numbers and no names: give the class names in the order of the "
                                  "labels, or a built-in list such as builtin:cifar10",
                                  source.format));
  }
  return absl::OkStatus();
}

// What examples with candidates of their own have no use for.
absl::Status CheckForCandidates(const TaskSource& source, const std::vector<std::string>& templates) {
  if (templates != std::vector<std::string>{"{c}"}) {
    return FieldError("templates", "TEMPLATES_NOT_ALLOWED",
                      fmt::format("the template '{}' is given, but the candidates of the format 'json-lines' are full "
                                  "prompts; give no template",
                                  base::Printable(templates.front())));
  }
  if (source.partition_parts != 0) {
    return FieldError("partition_parts", "BAD_CLASS_PARTITION",
                      "the format 'json-lines' has no classes to cut into parts: each example has candidates of its "
                      "own; give no partition");
  }
  return absl::OkStatus();
}

absl::Status CheckPartition(const TaskSource& source, size_t class_count) {
  if (source.partition_parts != 0) {
    return CheckClassPartition({source.partition_parts, source.partition_part, source.partition_seed},
                               static_cast<int64_t>(class_count));
  }
  if (source.partition_part == 0 && source.partition_seed == 0) return absl::OkStatus();
  return FieldError("partition_parts", "BAD_CLASS_PARTITION",
                    "a part or seed of a partition is given, but not into how many parts the classes are cut");
}

}  // namespace

std::string TaskSourceToJson(const TaskSource& source) {
  Json json = Json::object();
  VisitMembers(source, [&json](const char* key, const auto& member) { json[key] = member; });
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

absl::StatusOr<TaskSource> TaskSourceFromJson(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return base::InvalidArgument("BAD_TASK_SOURCE",
                                 fmt::format("the task source is no JSON object: {}", base::Printable(text)));
  }
  TaskSource source;
  absl::Status status;
  size_t known = 0;
  VisitMembers(source, [&](const char* key, auto& member) {
    const auto found = json.find(key);
    if (found == json.end()) return;
    ++known;
    if (!Read(*found, member) && status.ok()) {
      status =
          FieldError(key, "BAD_TASK_SOURCE",
                     fmt::format("the value {} of '{}' is of a wrong type or out of range", ShowJson(*found), key));
    }
  });
  MP_RETURN_IF_ERROR(status);
  if (known != json.size()) {
    for (const auto& item : json.items()) {
      bool is_known = false;
      VisitMembers(source, [&](const char* key, const auto&) { is_known |= item.key() == key; });
      if (!is_known) {
        return base::InvalidArgument(
            "BAD_TASK_SOURCE", fmt::format("the task source has an unknown key '{}'", base::Printable(item.key())));
      }
    }
  }
  return source;
}

absl::Status CheckTaskSource(const TaskSource& source) {
  MP_ASSIGN_OR_RETURN(const std::vector<std::string> class_names, ExpandClassNames(source.class_names));
  MP_ASSIGN_OR_RETURN(const std::vector<std::string> templates, ExpandTemplates(source.templates));
  MP_RETURN_IF_ERROR(CheckPromptSizes(class_names, templates));
  const bool generated = source.format == "generator";
  const bool has_candidates = source.format == "json-lines";
  if (!generated && !has_candidates && source.format != "idx" && source.format != "cifar" &&
      source.format != "image-folder") {
    return FieldError(
        "format", "UNKNOWN_TASK_FORMAT",
        fmt::format("there is no task format '{}'; the formats are: idx, cifar, image-folder, json-lines, generator",
                    base::Printable(source.format)));
  }
  MP_RETURN_IF_ERROR(generated ? CheckGenerated(source, class_names.size()) : CheckFiles(source, class_names.size()));
  if (has_candidates) MP_RETURN_IF_ERROR(CheckForCandidates(source, templates));
  MP_RETURN_IF_ERROR(CheckPartition(source, class_names.size()));
  const bool carves = generated ? source.generated_train > 0 && source.generated_validation == 0
                                : !source.train.empty() && source.validation.empty();
  if (carves && !(source.validation_fraction > 0.0 && source.validation_fraction < 1.0)) {
    return FieldError(
        "validation_fraction", "BAD_VALIDATION_FRACTION",
        fmt::format("the validation fraction is {}; it must lie between 0 and 1", source.validation_fraction));
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::data
