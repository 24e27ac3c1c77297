#include "core/data/prompt_templates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>

#include "core/base/text.h"
#include "core/data/builtin_class_names.h"
#include "core/data/join_names.h"
#include "core/data/white_space.h"

namespace modelpatch::data {
namespace {

#include "core/data/builtin_imagenet_templates.inc"
#include "core/data/builtin_templates.inc"

struct Builtin {
  std::string_view name;
  std::span<const std::string_view> templates;
};

constexpr Builtin kBuiltins[] = {
    {"cars", kCarsTemplates},         {"cifar10", kCifarTemplates},     {"cifar100", kCifarTemplates},
    {"dtd", kDtdTemplates},           {"eurosat", kEuroSatTemplates},   {"fashionmnist", kFashionMnistTemplates},
    {"fer2013", kFer2013Templates},   {"food101", kFood101Templates},   {"gtsrb", kTrafficSignTemplates},
    {"imagenet", kImageNetTemplates}, {"kitti", kKittiTemplates},       {"mnist", kDigitTemplates},
    {"mtsd", kTrafficSignTemplates},  {"resisc45", kResisc45Templates}, {"stl10", kPlainTemplates},
    {"sun397", kPlainTemplates},      {"svhn", kDigitTemplates},
};

constexpr std::string_view kBuiltinPrefix = "builtin:";
constexpr std::string_view kClassMark = "{c}";

std::string Normalised(std::string_view name) {
  std::string normalised;
  for (const char c : name) {
    if (c == ' ' || c == '-' || c == '_') continue;
    normalised += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return normalised;
}

absl::Status UnknownBuiltin(std::string_view name, std::string_view what) {
  return base::InvalidArgument("UNKNOWN_BUILTIN", fmt::format("there are no built-in {} '{}'; the names are: {}", what,
                                                              base::Printable(name), JoinNames(BuiltinNames())));
}

// What holds for class names and templates alike.
absl::Status CheckText(std::string_view text) {
  if (text.size() > kMaximumPromptBytes) {
    return base::InvalidArgument("PROMPT_TOO_LONG", fmt::format("the text has {} bytes; at most {} are allowed",
                                                                text.size(), kMaximumPromptBytes));
  }
  if (!base::IsValidUtf8(text)) {
    return base::InvalidArgument("INVALID_UTF8", fmt::format("'{}' is not valid UTF-8", base::Printable(text)));
  }
  return absl::OkStatus();
}

absl::Status CheckTemplate(std::string_view text) {
  MP_RETURN_IF_ERROR(CheckText(text));
  if (text.find(kClassMark) == std::string_view::npos) {
    return base::InvalidArgument(
        "TEMPLATE_WITHOUT_CLASS",
        fmt::format("the template '{}' does not contain {{c}}, which stands for the class name",
                    base::Printable(text)));
  }
  return absl::OkStatus();
}

absl::Status CheckClassName(std::string_view name, size_t index) {
  if (IsBlank(name)) {
    return base::InvalidArgument("EMPTY_CLASS_NAME", fmt::format("the name of class {} is empty", index));
  }
  return CheckText(name);
}

// Gathers class names. Views must stay valid.
class ClassNameList {
 public:
  // Names that come together may repeat each other, but none that came before.
  absl::Status Add(std::span<const std::string_view> names, const std::string& field) {
    for (const std::string_view name : names) {
      if (seen_.contains(name)) {
        return base::WithField(
            base::InvalidArgument("DUPLICATE_CLASS_NAME",
                                  fmt::format("the class name '{}' occurs twice; each class needs a name of its own",
                                              base::Printable(name))),
            field);
      }
    }
    seen_.insert(names.begin(), names.end());
    names_.insert(names_.end(), names.begin(), names.end());
    if (names_.size() <= kMaximumClasses) return absl::OkStatus();
    return base::WithField(
        base::InvalidArgument("TOO_MANY_CLASSES", fmt::format("there are more than {} classes", kMaximumClasses)),
        "class_names");
  }
  std::vector<std::string> Take() && { return std::move(names_); }

 private:
  std::set<std::string_view> seen_;
  std::vector<std::string> names_;
};

size_t CountMarks(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(kClassMark, at)) != std::string_view::npos; at += kClassMark.size()) ++count;
  return count;
}

}  // namespace

std::optional<std::span<const std::string_view>> BuiltinTemplates(std::string_view name) {
  const std::string wanted = Normalised(name);
  for (const Builtin& builtin : kBuiltins) {
    if (builtin.name == wanted) return builtin.templates;
  }
  return std::nullopt;
}

std::optional<std::span<const std::string_view>> BuiltinClassNames(std::string_view name) {
  return FindBuiltinClassNames(Normalised(name));
}

std::vector<std::string_view> BuiltinNames() {
  std::vector<std::string_view> names;
  for (const Builtin& builtin : kBuiltins) names.push_back(builtin.name);
  return names;
}

absl::StatusOr<std::vector<std::string>> ExpandTemplates(const std::vector<std::string>& templates) {
  if (templates.empty()) return std::vector<std::string>{"{c}"};
  std::vector<std::string> expanded;
  for (size_t i = 0; i < templates.size(); ++i) {
    const std::string_view entry = templates[i];
    const std::string field = fmt::format("templates[{}]", i);
    if (entry.starts_with(kBuiltinPrefix)) {
      const std::string_view name = entry.substr(kBuiltinPrefix.size());
      const auto builtin = BuiltinTemplates(name);
      if (!builtin.has_value()) return base::WithField(UnknownBuiltin(name, "templates"), field);
      expanded.insert(expanded.end(), builtin->begin(), builtin->end());
    } else {
      MP_RETURN_IF_ERROR(base::WithField(CheckTemplate(entry), field));
      expanded.emplace_back(entry);
    }
    if (expanded.size() > kMaximumTemplates) {
      return base::WithField(base::InvalidArgument("TOO_MANY_TEMPLATES",
                                                   fmt::format("there are more than {} templates", kMaximumTemplates)),
                             "templates");
    }
  }
  return expanded;
}

absl::StatusOr<std::vector<std::string>> ExpandClassNames(const std::vector<std::string>& class_names) {
  ClassNameList expanded;
  for (size_t i = 0; i < class_names.size(); ++i) {
    const std::string_view entry = class_names[i];
    const std::string field = fmt::format("class_names[{}]", i);
    std::span<const std::string_view> names(&entry, 1);
    if (entry.starts_with(kBuiltinPrefix)) {
      const std::string_view builtin_name = entry.substr(kBuiltinPrefix.size());
      const auto builtin = BuiltinClassNames(builtin_name);
      if (!builtin.has_value()) return base::WithField(UnknownBuiltin(builtin_name, "class names"), field);
      names = *builtin;
    } else {
      MP_RETURN_IF_ERROR(base::WithField(CheckClassName(entry, i), field));
    }
    MP_RETURN_IF_ERROR(expanded.Add(names, field));
  }
  return std::move(expanded).Take();
}

absl::Status CheckClassNames(const std::vector<std::string>& class_names) {
  ClassNameList list;
  for (size_t i = 0; i < class_names.size(); ++i) {
    const std::string_view name = class_names[i];
    const std::string field = fmt::format("class_names[{}]", i);
    MP_RETURN_IF_ERROR(base::WithField(CheckClassName(name, i), field));
    MP_RETURN_IF_ERROR(list.Add({&name, 1}, field));
  }
  return absl::OkStatus();
}

absl::Status CheckPromptSizes(const std::vector<std::string>& class_names, const std::vector<std::string>& templates) {
  if (class_names.empty()) return absl::OkStatus();
  const auto longest = std::max_element(class_names.begin(), class_names.end(),
                                        [](const auto& a, const auto& b) { return a.size() < b.size(); });
  uint64_t name_bytes = 0;
  for (const std::string& name : class_names) name_bytes += name.size();
  uint64_t total = 0;
  for (const std::string& text : templates) {
    const uint64_t marks = CountMarks(text);
    const uint64_t literal = text.size() - marks * kClassMark.size();
    if (const uint64_t bytes = literal + marks * longest->size(); bytes > kMaximumPromptBytes) {
      return base::WithField(
          base::InvalidArgument(
              "PROMPT_TOO_LONG",
              fmt::format("the class name '{}' in the template '{}' makes a prompt of {} bytes; at "
                          "most {} are allowed",
                          base::Printable(*longest), base::Printable(text), bytes, kMaximumPromptBytes)),
          fmt::format("class_names[{}]", longest - class_names.begin()));
    }
    total += literal * class_names.size() + marks * name_bytes;
  }
  if (total <= kMaximumTotalPromptBytes) return absl::OkStatus();
  return base::WithField(
      base::InvalidArgument("PROMPTS_TOO_LARGE",
                            fmt::format("the prompts of {} classes and {} templates have {} bytes together; at most {} "
                                        "are allowed, so use fewer classes or templates",
                                        class_names.size(), templates.size(), total, kMaximumTotalPromptBytes)),
      "class_names");
}

}  // namespace modelpatch::data
