// JoinNames: names for an error message. Private to core/data. Thread safety: pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace modelpatch::data {

// "a, b, c".
inline std::string JoinNames(const std::vector<std::string_view>& names) {
  std::string joined;
  for (const std::string_view name : names) {
    if (!joined.empty()) joined += ", ";
    joined += name;
  }
  return joined;
}

}  // namespace modelpatch::data
