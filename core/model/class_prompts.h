// Class prompts: the texts whose embeddings make a zero-shot head, checked and expanded from names and templates.
//
// Thread safety: pure functions on plain values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::model {

// A class and its full prompts; several are averaged.
struct ClassPrompts {
  std::string name;
  std::vector<std::string> prompts;

  bool operator==(const ClassPrompts&) const = default;
};

struct PromptLimits {
  int64_t maximum_classes = 10'000;
  int64_t maximum_prompt_bytes = 8192;
  int64_t maximum_prompts_per_class = 1000;
  // Of all prompts together, so that many classes times many long templates cannot fill the memory.
  int64_t maximum_total_bytes = int64_t{256} << 20;
  // False for the classes of a task, which are told apart by their labels: ImageNet's published names hold two twice.
  bool unique_names = true;
};

// One prompt for each class and template, with every `{c}` of the template replaced by the class name. No templates
// means the single template `{c}`. INVALID_ARGUMENT, each with its field (`class_names`, `class_names[3]`,
// `templates[0]`): NO_CLASSES, TOO_MANY_CLASSES, EMPTY_CLASS_NAME (white space and control characters
// count as nothing), DUPLICATE_CLASS_NAME, TEMPLATE_WITHOUT_CLASS, TOO_MANY_PROMPTS, PROMPT_TOO_LONG,
// PROMPTS_TOO_LARGE, TEXT_NOT_UTF8.
absl::StatusOr<std::vector<ClassPrompts>> ExpandClassPrompts(std::span<const std::string> class_names,
                                                             std::span<const std::string> templates,
                                                             const PromptLimits& limits = {});

// Checks prompts that a user wrote out: as above, with the fields `classes`, `classes[2].name`,
// `classes[2].prompts[1]`; and NO_PROMPTS for a class without any. An empty prompt is valid.
absl::Status CheckClassPrompts(std::span<const ClassPrompts> classes, const PromptLimits& limits = {});

}  // namespace modelpatch::model
