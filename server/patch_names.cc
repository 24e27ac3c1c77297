#include "server/patch_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/text.h"
#include "server/resource_names.h"

namespace modelpatch::server {
namespace {

constexpr size_t kMaximumAliasLength = 63;
constexpr size_t kMaximumVersionDigits = 9;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }

absl::StatusOr<int64_t> ParseVersion(std::string_view text) {
  const bool good =
      text.front() != '0' && text.size() <= kMaximumVersionDigits && std::all_of(text.begin(), text.end(), IsDigit);
  if (!good) {
    return base::InvalidArgument(
        "BAD_PATCH_VERSION", fmt::format("'{}' is no version of a patch; versions are 1, 2, …", base::Printable(text)));
  }
  int64_t version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

}  // namespace

absl::StatusOr<PatchReference> ParsePatchName(std::string_view name) {
  const size_t at = name.find('@');
  PatchReference reference;
  MP_ASSIGN_OR_RETURN(reference.id, ParseResourceName(kPatches, name.substr(0, at)));
  if (at == std::string_view::npos) return reference;
  const std::string_view selector = name.substr(at + 1);
  if (!selector.empty() && IsDigit(selector.front())) {
    MP_ASSIGN_OR_RETURN(reference.selector.version, ParseVersion(selector));
    return reference;
  }
  MP_RETURN_IF_ERROR(CheckAlias(selector));
  reference.selector.alias = std::string(selector);
  return reference;
}

absl::Status CheckAlias(std::string_view alias) {
  const bool good =
      !alias.empty() && alias.size() <= kMaximumAliasLength && IsLower(alias.front()) &&
      std::all_of(alias.begin(), alias.end(), [](char c) { return IsLower(c) || IsDigit(c) || c == '-'; });
  if (good) return absl::OkStatus();
  return base::InvalidArgument(
      "BAD_ALIAS", fmt::format("'{}' is no alias; use 1 to {} characters of [a-z0-9-], the first of them a letter",
                               base::Printable(alias), kMaximumAliasLength));
}

std::string PatchVersionName(std::string_view id, int64_t version) {
  return fmt::format("{}/{}@{}", kPatches, id, version);
}

}  // namespace modelpatch::server
