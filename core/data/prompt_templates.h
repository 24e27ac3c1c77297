// The prompt templates and class names of the PAINT paper's data sets (and FER2013's), built in by name.
//
// Names: cars, cifar10, cifar100, dtd, eurosat, fashionmnist, fer2013, food101, gtsrb, imagenet, kitti, mnist, mtsd,
// resisc45, stl10, sun397, svhn; case, spaces, hyphens and underscores do not matter (`CIFAR-10` is `cifar10`).
// Nothing here is ever chosen by guessing: a task names what it wants, as `builtin:NAME`.
// Thread safety: pure functions over constant tables.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::data {

// The templates of the data set, `{c}` standing for the class name; nothing for an unknown name.
std::optional<std::span<const std::string_view>> BuiltinTemplates(std::string_view name);

// The class names of the data set in the order of its labels, which for those that come as folders is the folders'
// sorted order; nothing for an unknown name and for mtsd, whose classes are not published. ImageNet's hold two names
// twice.
std::optional<std::span<const std::string_view>> BuiltinClassNames(std::string_view name);

// The names above, sorted.
std::vector<std::string_view> BuiltinNames();

// `templates` with each entry `builtin:NAME` replaced by that data set's templates; none at all means `{c}`.
// INVALID_ARGUMENT with the entry's field path (`templates[2]`): UNKNOWN_BUILTIN; TEMPLATE_WITHOUT_CLASS for an entry
// without `{c}`; PROMPT_TOO_LONG; INVALID_UTF8.
absl::StatusOr<std::vector<std::string>> ExpandTemplates(const std::vector<std::string>& templates);

// `class_names` with each entry `builtin:NAME` replaced by that data set's class names. INVALID_ARGUMENT with the
// entry's field path: UNKNOWN_BUILTIN, EMPTY_CLASS_NAME (only white space counts as empty), DUPLICATE_CLASS_NAME (but
// names that came from one builtin list are taken as they are), PROMPT_TOO_LONG, INVALID_UTF8; without a path:
// TOO_MANY_CLASSES.
absl::StatusOr<std::vector<std::string>> ExpandClassNames(const std::vector<std::string>& class_names);

// Checks names that stand for themselves, also where one starts with `builtin:`, as the folders of a dataset may.
// Errors: those of ExpandClassNames but UNKNOWN_BUILTIN.
absl::Status CheckClassNames(const std::vector<std::string>& class_names);

// Checks the prompts that come of expanded class names and templates, without making them. INVALID_ARGUMENT:
// PROMPT_TOO_LONG (field `class_names[3]`), PROMPTS_TOO_LARGE (all together; field `class_names`).
absl::Status CheckPromptSizes(const std::vector<std::string>& class_names, const std::vector<std::string>& templates);

// What a task may hold. Servers may allow less.
inline constexpr size_t kMaximumClasses = 10'000;
inline constexpr size_t kMaximumTemplates = 1'000;
inline constexpr size_t kMaximumPromptBytes = 8 * 1024;
// Of all prompts together.
inline constexpr size_t kMaximumTotalPromptBytes = size_t{256} << 20;

}  // namespace modelpatch::data
