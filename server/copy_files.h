// Copies of files that a client named, below the import roots, into a directory of the server's own.
//
// Links are followed, and each file is judged by where it really is. Thread safety: free functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/cancellation.h"
#include "core/base/status.h"
#include "server/root_paths.h"

namespace modelpatch::server {

// Copies the regular file `source`, resolved through `roots`, to the new file `destination`. Does not sync. A copy that
// fails or is cancelled, which is looked at after each mebibyte, leaves what was written.
// PERMISSION_DENIED (PATH_OUTSIDE_ROOTS), NOT_FOUND (FILE_NOT_FOUND), INVALID_ARGUMENT (NOT_A_REGULAR_FILE,
// FILE_TOO_LARGE), RESOURCE_EXHAUSTED (DISK_FULL), CANCELLED.
absl::Status CopyFile(const RootPaths& roots, const std::string& source, const std::string& destination,
                      const base::CancellationToken& cancellation, uint64_t maximum_bytes = UINT64_MAX);

struct FileBeginning {
  std::string bytes;
  uint64_t file_bytes = 0;  // of the whole file
};

// At most the first `count` bytes of the regular file `source`, resolved through `roots`. Read, not mapped: a file that
// a client cuts meanwhile must not end the server. Errors: those of CopyFile that concern the source.
absl::StatusOr<FileBeginning> ReadBeginning(const RootPaths& roots, const std::string& source, uint64_t count);

struct CopyRules {
  // Whether directories within the directory are copied too.
  bool recursive = false;
  // Which files, by name.
  std::function<bool(const std::string& name)> wanted = [](const std::string&) { return true; };
};

// Copies the files in the directory `source` to the directory `destination`, which is made; names that start with a dot
// are left out. INVALID_ARGUMENT (TOO_MANY_FILES, DIRECTORY_TOO_DEEP); CANCELLED.
absl::Status CopyDirectory(const RootPaths& roots, const std::string& source, const std::string& destination,
                           const CopyRules& rules, const base::CancellationToken& cancellation);

}  // namespace modelpatch::server
