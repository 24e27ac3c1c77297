// Finding the files of a dataset below the path that was given. Private to core/data. Thread safety: free functions.
//
// A caller may be confined to some directories and has checked the path itself. Files that are found from it must not
// lead elsewhere, so a symbolic link that leaves the directory is refused: PERMISSION_DENIED (PATH_OUTSIDE_ROOT).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::data {

// Whether `path` is a directory, a symbolic link followed. NOT_FOUND (see base::ErrnoError) if there is nothing.
absl::StatusOr<bool> IsDirectory(const std::string& path);

struct DirectoryListing {
  std::vector<std::string> directories;  // names, sorted bytewise
  std::vector<std::string> files;        // names of what is not a directory, sorted bytewise
};

// What `directory` holds, without the names that start with a dot.
absl::StatusOr<DirectoryListing> ListDirectory(const std::string& directory);

// OK if `path` with all links followed lies below `directory` with all links followed.
absl::Status CheckStaysInside(const std::string& directory, const std::string& path);

// `directory`/`name` or `directory`/`name`.gz, the first that exists and is no directory; checked with
// CheckStaysInside.
absl::StatusOr<std::optional<std::string>> FindMaybeGzip(const std::string& directory, std::string_view name);

}  // namespace modelpatch::data
