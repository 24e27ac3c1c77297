// Patches as text. Pure functions.
#pragma once

#include <string>

#include "modelpatch/v1/patch_service.pb.h"

namespace modelpatch::client {

// With its versions and its history, as far as they are there.
std::string PatchText(const v1::Patch& patch);
std::string PatchesText(const v1::ListPatchesResponse& response);

}  // namespace modelpatch::client
