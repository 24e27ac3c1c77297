// ShowJson: a value of a foreign JSON document, for an error message. Thread safety: pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/base/text.h"

namespace modelpatch::data {

// The value as JSON text, printable and cut; of an object or an array only that it is one. Writing those recurses, and
// a hostile document may be nested a million levels deep.
inline std::string ShowJson(const nlohmann::json& value) {
  if (value.is_structured()) return value.is_object() ? "an object" : "an array";
  return base::Printable(value.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace));
}

}  // namespace modelpatch::data
