#include "client/cli/option_scope.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace modelpatch::client {

absl::Status CheckBelongs(bool given, std::string_view option, std::string_view chooser,
                          const std::vector<std::string>& choices, std::string_view chosen) {
  if (!given || std::find(choices.begin(), choices.end(), chosen) != choices.end()) return absl::OkStatus();
  const std::string said = chosen.empty() ? absl::StrCat("there is no ", std::string(chooser))
                                          : absl::StrCat(std::string(chooser), " is ", std::string(chosen));
  return absl::InvalidArgumentError(absl::StrCat(std::string(option), " goes with ", std::string(chooser), " ",
                                                 absl::StrJoin(choices, " or "), ", and ", said));
}

}  // namespace modelpatch::client
