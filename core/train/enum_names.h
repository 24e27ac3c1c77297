// Enums under fixed names in JSON. Torch-free; pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace modelpatch::train {

template <typename Enum, size_t kCount>
using EnumNames = std::pair<Enum, std::string_view>[kCount];

template <typename Enum, size_t kCount>
std::string NameIn(const EnumNames<Enum, kCount>& names, Enum value) {
  for (const auto& [known, name] : names) {
    if (known == value) return std::string(name);
  }
  return std::string(names[0].second);
}

// Throws nlohmann::json's exception for a name that is not there.
template <typename Enum, size_t kCount>
Enum ValueIn(const EnumNames<Enum, kCount>& names, const nlohmann::json& json) {
  const auto& wanted = json.get_ref<const std::string&>();
  for (const auto& [value, name] : names) {
    if (name == wanted) return value;
  }
  throw nlohmann::json::other_error::create(501, "unknown name '" + wanted + "'", &json);
}

}  // namespace modelpatch::train
