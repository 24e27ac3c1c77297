#include "core/data/prompt_templates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <set>

#include "core/base/text.h"
#include "core/data/builtin_class_names.h"
#include "core/data/join_names.h"

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
  if (text.find("{c}") == std::string_view::npos) {
    return base::InvalidArgument(
        "TEMPLATE_WITHOUT_CLASS",
        fmt::format("the template '{}' does not contain {{c}}, which stands for the class name",
                    base::Printable(text)));
  }
  return absl::OkStatus();
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
  std::vector<std::string> expanded;
  std::set<std::string_view> seen;  // views into `class_names` and the constant tables
  for (size_t i = 0; i < class_names.size(); ++i) {
    const std::string_view entry = class_names[i];
    const std::string field = fmt::format("class_names[{}]", i);
    std::span<const std::string_view> names(&entry, 1);
    if (entry.starts_with(kBuiltinPrefix)) {
      const std::string_view builtin_name = entry.substr(kBuiltinPrefix.size());
      const auto builtin = BuiltinClassNames(builtin_name);
      if (!builtin.has_value()) return base::WithField(UnknownBuiltin(builtin_name, "class names"), field);
      names = *builtin;
    } else if (entry.find_first_not_of(" \t\r\n") == std::string_view::npos) {
      return base::WithField(base::InvalidArgument("EMPTY_CLASS_NAME", fmt::format("the name of class {} is empty", i)),
                             field);
    } else {
      MP_RETURN_IF_ERROR(base::WithField(CheckText(entry), field));
    }
    for (const std::string_view name : names) {
      if (seen.contains(name)) {
        return base::WithField(
            base::InvalidArgument("DUPLICATE_CLASS_NAME",
                                  fmt::format("the class name '{}' occurs twice; each class needs a name of its own",
                                              base::Printable(name))),
            field);
      }
    }
    for (const std::string_view name : names) {
      seen.insert(name);
      expanded.emplace_back(name);
    }
    if (expanded.size() > kMaximumClasses) {
      return base::WithField(
          base::InvalidArgument("TOO_MANY_CLASSES", fmt::format("there are more than {} classes", kMaximumClasses)),
          "class_names");
    }
  }
  return expanded;
}

}  // namespace modelpatch::data
