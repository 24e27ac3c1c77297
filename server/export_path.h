// Where a client may have something written: new paths below the export root.
//
// Thread safety: a free function.
#pragma once

#include <string>
#include <string_view>

#include "core/base/status.h"

namespace modelpatch::server {

// The canonical form of `path`, absolute or relative to `root`, in whose place nothing is yet and whose directory is
// there and below the root, all links followed. INVALID_ARGUMENT (BAD_PATH); PERMISSION_DENIED (NO_EXPORT_ROOT if
// `root` is empty, PATH_OUTSIDE_ROOTS); NOT_FOUND (FILE_NOT_FOUND); ALREADY_EXISTS (PATH_EXISTS).
absl::StatusOr<std::string> ResolveExportPath(const std::string& root, std::string_view path);

}  // namespace modelpatch::server
