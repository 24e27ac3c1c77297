#include "core/model/class_prompts.h"

#include <fmt/format.h>

#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/base/text.h"
#include "core/data/white_space.h"

namespace modelpatch::model {
namespace {

using base::InvalidArgument;
using base::Printable;
using base::WithField;

constexpr std::string_view kClassMark = "{c}";

std::string Index(std::string_view list, size_t index) { return fmt::format("{}[{}]", list, index); }

absl::Status CheckCount(int64_t count, std::string_view field, const PromptLimits& limits) {
  if (count == 0) return WithField(InvalidArgument("NO_CLASSES", "there are no classes; give at least one"), field);
  if (count <= limits.maximum_classes) return absl::OkStatus();
  return WithField(InvalidArgument("TOO_MANY_CLASSES", fmt::format("there are {} classes; at most {} are allowed",
                                                                   count, limits.maximum_classes)),
                   field);
}

absl::Status CheckUtf8(std::string_view text) {
  if (base::IsValidUtf8(text)) return absl::OkStatus();
  return InvalidArgument("TEXT_NOT_UTF8", fmt::format("'{}' is not valid UTF-8", Printable(text)));
}

absl::Status CheckPromptSize(int64_t bytes, const PromptLimits& limits) {
  if (bytes <= limits.maximum_prompt_bytes) return absl::OkStatus();
  return InvalidArgument("PROMPT_TOO_LONG", fmt::format("a prompt has {} bytes; at most {} are allowed", bytes,
                                                        limits.maximum_prompt_bytes));
}

absl::Status CheckPromptCount(int64_t count, const PromptLimits& limits) {
  if (count <= limits.maximum_prompts_per_class) return absl::OkStatus();
  return InvalidArgument("TOO_MANY_PROMPTS", fmt::format("there are {} prompts to a class; at most {} are allowed",
                                                         count, limits.maximum_prompts_per_class));
}

// Adds up the bytes of all prompts. The sum cannot overflow: it grows by at most one class beyond its limit.
absl::Status AddToTotal(int64_t bytes, const PromptLimits& limits, int64_t& total) {
  total += bytes;
  if (total <= limits.maximum_total_bytes) return absl::OkStatus();
  return InvalidArgument("PROMPTS_TOO_LARGE",
                         fmt::format("the prompts have more than {} bytes together; use fewer classes or prompts",
                                     limits.maximum_total_bytes));
}

// Sees each class name once, in order.
class NameChecker {
 public:
  NameChecker(const PromptLimits& limits, size_t names) : unique_names_(limits.unique_names) {
    indices_.reserve(names);
  }

  absl::Status Check(std::string_view name) {
    MP_RETURN_IF_ERROR(CheckUtf8(name));
    if (data::IsBlank(name)) {
      return InvalidArgument("EMPTY_CLASS_NAME", "the class name is empty; every class needs a name");
    }
    const auto [earlier, is_new] = indices_.try_emplace(name, indices_.size());
    if (is_new || !unique_names_) return absl::OkStatus();
    return InvalidArgument("DUPLICATE_CLASS_NAME",
                           fmt::format("the class name '{}' is also at index {}; class names are unique",
                                       Printable(name), earlier->second));
  }

 private:
  const bool unique_names_;
  std::unordered_map<std::string_view, size_t> indices_;
};

// A template as the texts around its marks: n marks make n + 1 pieces.
struct Template {
  std::vector<std::string_view> pieces;
  int64_t literal_bytes = 0;

  int64_t SizeWith(std::string_view name) const {
    return literal_bytes + static_cast<int64_t>(pieces.size() - 1) * static_cast<int64_t>(name.size());
  }
  std::string With(std::string_view name) const {
    std::string result;
    result.reserve(SizeWith(name));
    for (size_t i = 0; i < pieces.size(); ++i) {
      if (i > 0) result += name;
      result += pieces[i];
    }
    return result;
  }
};

absl::StatusOr<Template> ParseTemplate(std::string_view text, const PromptLimits& limits) {
  MP_RETURN_IF_ERROR(CheckUtf8(text));
  MP_RETURN_IF_ERROR(CheckPromptSize(static_cast<int64_t>(text.size()), limits));
  Template result;
  for (size_t found; (found = text.find(kClassMark)) != std::string_view::npos;
       text.remove_prefix(found + kClassMark.size())) {
    result.pieces.push_back(text.substr(0, found));
  }
  result.pieces.push_back(text);
  for (const std::string_view piece : result.pieces) result.literal_bytes += static_cast<int64_t>(piece.size());
  if (result.pieces.size() > 1) return result;
  return InvalidArgument(
      "TEMPLATE_WITHOUT_CLASS",
      fmt::format("the template '{}' has no {{c}}, which stands for the class name", Printable(text)));
}

absl::Status CheckExpandedSizes(std::span<const std::string> class_names, std::span<const Template> templates,
                                const PromptLimits& limits) {
  NameChecker names(limits, class_names.size());
  int64_t total = 0;
  const auto check = [&](const std::string& name) {
    MP_RETURN_IF_ERROR(names.Check(name));
    for (const Template& parsed : templates) MP_RETURN_IF_ERROR(CheckPromptSize(parsed.SizeWith(name), limits));
    return absl::OkStatus();
  };
  for (size_t i = 0; i < class_names.size(); ++i) {
    if (const absl::Status status = check(class_names[i]); !status.ok()) {
      return WithField(status, Index("class_names", i));
    }
    for (const Template& parsed : templates) {
      MP_RETURN_IF_ERROR(WithField(AddToTotal(parsed.SizeWith(class_names[i]), limits, total), "class_names"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<ClassPrompts>> ExpandClassPrompts(std::span<const std::string> class_names,
                                                             std::span<const std::string> templates,
                                                             const PromptLimits& limits) {
  MP_RETURN_IF_ERROR(CheckCount(static_cast<int64_t>(class_names.size()), "class_names", limits));
  MP_RETURN_IF_ERROR(WithField(CheckPromptCount(static_cast<int64_t>(templates.size()), limits), "templates"));
  std::vector<Template> parsed;
  for (size_t i = 0; i < templates.size(); ++i) {
    absl::StatusOr<Template> one = ParseTemplate(templates[i], limits);
    if (!one.ok()) return WithField(one.status(), Index("templates", i));
    parsed.push_back(*std::move(one));
  }
  if (parsed.empty()) parsed.push_back({.pieces = {"", ""}});
  // All sizes are checked before the first prompt is built.
  MP_RETURN_IF_ERROR(CheckExpandedSizes(class_names, parsed, limits));
  std::vector<ClassPrompts> result;
  result.reserve(class_names.size());
  for (const std::string& name : class_names) {
    ClassPrompts& one = result.emplace_back();
    one.name = name;
    one.prompts.reserve(parsed.size());
    for (const Template& each : parsed) one.prompts.push_back(each.With(name));
  }
  return result;
}

absl::Status CheckClassPrompts(std::span<const ClassPrompts> classes, const PromptLimits& limits) {
  MP_RETURN_IF_ERROR(CheckCount(static_cast<int64_t>(classes.size()), "classes", limits));
  NameChecker names(limits, classes.size());
  int64_t total = 0;
  for (size_t i = 0; i < classes.size(); ++i) {
    const std::string field = Index("classes", i);
    const std::vector<std::string>& prompts = classes[i].prompts;
    MP_RETURN_IF_ERROR(WithField(names.Check(classes[i].name), field + ".name"));
    MP_RETURN_IF_ERROR(
        WithField(CheckPromptSize(static_cast<int64_t>(classes[i].name.size()), limits), field + ".name"));
    if (prompts.empty()) {
      return WithField(InvalidArgument("NO_PROMPTS", fmt::format("the class '{}' has no prompts; give at least one",
                                                                 Printable(classes[i].name))),
                       field + ".prompts");
    }
    MP_RETURN_IF_ERROR(WithField(CheckPromptCount(static_cast<int64_t>(prompts.size()), limits), field + ".prompts"));
    for (size_t k = 0; k < prompts.size(); ++k) {
      const std::string prompt_field = Index(field + ".prompts", k);
      const auto bytes = static_cast<int64_t>(prompts[k].size());
      MP_RETURN_IF_ERROR(WithField(CheckPromptSize(bytes, limits), prompt_field));
      MP_RETURN_IF_ERROR(WithField(CheckUtf8(prompts[k]), prompt_field));
      MP_RETURN_IF_ERROR(WithField(AddToTotal(bytes, limits, total), "classes"));
    }
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::model
