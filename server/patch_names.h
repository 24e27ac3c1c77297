// Names of patches and of their versions: `patches/digits`, `patches/digits@3`, `patches/digits@production`.
//
// Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/store/patch_records.h"

namespace modelpatch::server {

struct PatchReference {
  std::string id;
  store::PatchSelector selector;

  // Whether the name says which version, as a number or as an alias.
  bool has_selector() const { return selector.version.has_value() || !selector.alias.empty(); }
};

// INVALID_ARGUMENT (BAD_RESOURCE_NAME, BAD_RESOURCE_ID, BAD_PATCH_VERSION, BAD_ALIAS).
absl::StatusOr<PatchReference> ParsePatchName(std::string_view name);

// INVALID_ARGUMENT (BAD_ALIAS) unless it is [a-z][a-z0-9-]* of at most 63 characters.
absl::Status CheckAlias(std::string_view alias);

// `patches/digits@3`.
std::string PatchVersionName(std::string_view id, int64_t version);

}  // namespace modelpatch::server
