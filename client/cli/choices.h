// OneOf: an option's value as one of a few names. Pure.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace modelpatch::client {

// Turns a name into the number of its value, which is what CLI11 reads an enum or a bool from. Anything else is refused
// with the names that there are.
template <typename Value>
CLI::Validator OneOf(std::map<std::string, Value> values) {
  const auto convert = [values = std::move(values)](std::string& text) -> std::string {
    if (const auto found = values.find(text); found != values.end()) {
      text = absl::StrCat(static_cast<int>(found->second));
      return "";
    }
    std::string names;
    for (const auto& [name, value] : values) absl::StrAppend(&names, names.empty() ? "" : ", ", name);
    return absl::StrCat("'", text, "' is none of ", names);
  };
  return CLI::Validator(convert, "");
}

}  // namespace modelpatch::client
