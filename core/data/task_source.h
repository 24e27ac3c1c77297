// TaskSource: where a task comes from, as a plain value that is stored and sent to workers as JSON.
//
// A default-constructed one is not valid; CheckTaskSource says what is missing. Nothing here touches the file system.
// Thread safety: a plain value and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::data {

struct TaskSource {
  // "idx", "cifar", "image-folder", "json-lines" or "generator".
  std::string format;
  // Files or directories, as the format's header says. At least one of `train` and `test` is needed; without
  // `validation` that split is carved out of `train` (never out of `test`). All empty for a generator.
  std::string train, validation, test;
  // Of format "generator": which (see generated_dataset.h), and how many examples of each split; without validation
  // examples they are carved out of the training ones.
  std::string generator;
  int64_t generated_train = 0, generated_validation = 0, generated_test = 0;
  uint64_t generator_seed = 0;
  // In the order of the labels; an entry `builtin:NAME` stands for that data set's (see prompt_templates.h). Needed for
  // idx and cifar. For image-folder none means the folders' names; else entry i names the i-th folder in sorted order.
  // For a generator none means its own. None for json-lines: the candidates of the examples are the classes.
  std::vector<std::string> class_names;
  // `{c}` stands for the class name; `builtin:NAME` for that data set's templates; none means `{c}`, and json-lines
  // takes nothing else, since its candidates are prompts.
  std::vector<std::string> templates;
  // Used only where validation is carved out.
  double validation_fraction = 0.1;
  uint64_t split_seed = 0;
  // Some of the classes alone (class_partition.h). 0 parts: all. Not for json-lines.
  int64_t partition_parts = 0, partition_part = 0;
  uint64_t partition_seed = 0;

  bool operator==(const TaskSource&) const = default;
};

// One JSON object with the members' names as keys.
std::string TaskSourceToJson(const TaskSource& source);

// The reverse; absent keys have their defaults, the values are not checked. INVALID_ARGUMENT (BAD_TASK_SOURCE) if it is
// not such an object: a value of another type, an unknown key, an integer out of range.
absl::StatusOr<TaskSource> TaskSourceFromJson(std::string_view json);

// INVALID_ARGUMENT with a field path: UNKNOWN_TASK_FORMAT, MISSING_SPLITS, BAD_PATH (NUL, or not UTF-8),
// UNEXPECTED_FIELD (a generator's field with files, or the reverse), UNKNOWN_GENERATOR, BAD_COUNT (of generated
// examples: 0 to 10,000,000), CLASS_NAMES_REQUIRED, CLASS_COUNT_MISMATCH, BAD_VALIDATION_FRACTION,
// TEMPLATES_NOT_ALLOWED, BAD_CLASS_PARTITION, and those of ExpandClassNames, ExpandTemplates and CheckPromptSizes.
absl::Status CheckTaskSource(const TaskSource& source);

}  // namespace modelpatch::data
