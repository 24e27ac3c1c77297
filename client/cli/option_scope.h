// Options that mean something with one choice of another option alone. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace modelpatch::client {

// INVALID_ARGUMENT if `option` is given although `chooser` (such as `--search`) has not been set to one of `choices`,
// but to `chosen` or, if that is empty, to nothing: it would be ignored.
absl::Status CheckBelongs(bool given, std::string_view option, std::string_view chooser,
                          const std::vector<std::string>& choices, std::string_view chosen);

}  // namespace modelpatch::client
