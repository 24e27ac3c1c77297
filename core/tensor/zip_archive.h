// The members of a zip archive whose data are stored as they are, which is how torch.save writes.
//
// Compressed members are refused, so an archive cannot unfold into more than it is. Torch-free; thread safety: pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/base/status.h"

namespace modelpatch::tensor {

// The bytes of each member, by its whole name; views into the archive.
using ZipMembers = std::map<std::string, std::string_view, std::less<>>;

// Whether `file` starts as a zip archive does.
bool IsZip(std::string_view file);

// Zip and zip64 archives in one part. INVALID_ARGUMENT: ZIP_CORRUPT (cut short, no directory, a member outside the
// file, a name twice, more than 65,536 members), ZIP_COMPRESSED (a member that is compressed or encrypted, by name).
absl::StatusOr<ZipMembers> ParseZip(std::string_view file);

}  // namespace modelpatch::tensor
