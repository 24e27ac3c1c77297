// Patches as the store has them, to the API's messages. Pure functions.
#pragma once

#include <string>

#include "core/base/status.h"
#include "core/store/patch_records.h"
#include "modelpatch/v1/patch_service.pb.h"

namespace modelpatch::server {

// Changes with every change of the patch, and differs from those of an earlier patch of this name.
std::string EtagOf(const store::PatchRecord& record);

// Without versions and promotions.
v1::Patch ToMessage(const store::PatchRecord& record);

v1::PatchPromotion ToMessage(const store::PatchPromotionRecord& record);

// DATA_LOSS (METADATA_CORRUPT).
absl::StatusOr<v1::PatchVersion> ToMessage(const store::PatchVersionRecord& record);

}  // namespace modelpatch::server
