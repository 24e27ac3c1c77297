// The members of a foreign JSON object. Thread safety: pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace modelpatch::model {

// The member `key` of `value`, or null where that is no object, has none, or has JSON's null.
inline const nlohmann::json* FindMember(const nlohmann::json& value, const char* key) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(key);
  return found == value.end() || found->is_null() ? nullptr : &*found;
}

// Whether `member` is there and is the text `text`.
inline bool IsText(const nlohmann::json* member, std::string_view text) {
  return member != nullptr && member->is_string() && member->get_ref<const std::string&>() == text;
}

}  // namespace modelpatch::model
