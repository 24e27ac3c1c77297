// RootPaths: the directories from below which clients may name files on the server.
//
// A path is judged by where it really leads, all symbolic links followed. Immutable, so thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"

namespace modelpatch::server {

class RootPaths {
 public:
  // `roots` must be directories: NOT_FOUND (FILE_NOT_FOUND), INVALID_ARGUMENT (NOT_A_DIRECTORY).
  static absl::StatusOr<RootPaths> Make(const std::vector<std::string>& roots);

  // The canonical form of `path`, which is absolute or relative to a root (the first one that has it).
  // INVALID_ARGUMENT (BAD_PATH) if it is empty, longer than 4096 bytes or holds a NUL; PERMISSION_DENIED
  // (NO_IMPORT_ROOT if there is no root, PATH_OUTSIDE_ROOTS if it leads out of all of them); NOT_FOUND
  // (FILE_NOT_FOUND).
  absl::StatusOr<std::string> Resolve(std::string_view path) const;

 private:
  explicit RootPaths(std::vector<std::string> roots) : roots_(std::move(roots)) {}
  bool IsBelowRoot(const std::string& canonical) const;

  std::vector<std::string> roots_;
};

}  // namespace modelpatch::server
