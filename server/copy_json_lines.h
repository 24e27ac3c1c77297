// Copies of a task's files in the format `json-lines`: the file and every image that its lines name.
//
// Thread safety: a free function.
#pragma once

#include <string>

#include "core/base/cancellation.h"
#include "core/base/status.h"
#include "server/root_paths.h"

namespace modelpatch::server {

// Copies the file `source` under its own name to the directory `target`, which is made, and the images to their paths
// below it. Errors: those of CopyFile, and of data::ForEachJsonLine for what the file says; both with the file and
// line.
absl::Status CopyJsonLines(const RootPaths& roots, const std::string& source, const std::string& target,
                           const base::CancellationToken& cancellation);

}  // namespace modelpatch::server
