// The tables behind BuiltinClassNames. Private to core/data. Thread safety: pure.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace modelpatch::data {

// By the exact, lower-case name.
std::optional<std::span<const std::string_view>> FindBuiltinClassNames(std::string_view name);

}  // namespace modelpatch::data
