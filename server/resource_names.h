// Resource names: `models/vit-b-32` and the like, to ids and back.
//
// Pure functions. A name that is not one is INVALID_ARGUMENT (BAD_RESOURCE_NAME or BAD_RESOURCE_ID).
#pragma once

#include <string>
#include <string_view>

#include "core/base/status.h"

namespace modelpatch::server {

inline constexpr std::string_view kModels = "models";
inline constexpr std::string_view kTasks = "tasks";
inline constexpr std::string_view kCheckpoints = "checkpoints";
inline constexpr std::string_view kPatchJobs = "patchJobs";
inline constexpr std::string_view kPatches = "patches";
inline constexpr std::string_view kUploads = "uploads";

// The id in `name`, which must be of `collection` (one of the above).
absl::StatusOr<std::string> ParseResourceName(std::string_view collection, std::string_view name);

// An empty id gives an empty name: a reference that is not set.
std::string ResourceName(std::string_view collection, std::string_view id);

// INVALID_ARGUMENT (BAD_REQUEST_ID) unless `request_id` is valid UTF-8 of at most 128 bytes (it may be empty).
absl::Status CheckRequestId(std::string_view request_id);

}  // namespace modelpatch::server
