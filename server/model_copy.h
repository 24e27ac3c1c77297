// Copies the files of a model, or of a checkpoint's weights, from below an import root into a directory of the server's
// own.
//
// Blocks. Thread safety: free functions.
#pragma once

#include <optional>
#include <string>

#include "core/base/cancellation.h"
#include "core/base/status.h"
#include "core/model/config.h"
#include "server/root_paths.h"

namespace modelpatch::server {

struct ModelCopyOptions {
  // Of a state dict of OpenCLIP without a config: the copy gets the config.
  std::optional<model::ModelConfig> architecture;
  // Whether a family whose outputs nobody compared with a reference's will do.
  bool allow_unverified_family = false;
};

// Copies the files in `source` that make a model to `destination`, the weights last and only if the small files and the
// headers of the weights can be right. Errors: those of CopyFile, model::ChooseModelFiles, model::CheckFamilyIsVerified
// and model::CheckModelBeforeWeights; INVALID_ARGUMENT (ARCHITECTURE_NOT_NEEDED) if the directory has a config.
absl::Status CopyModel(const RootPaths& roots, const std::string& source, const std::string& destination,
                       const ModelCopyOptions& options, const base::CancellationToken& cancellation);

// Copies the weight files at `source`, a directory or one file, and the config beside them if there is one, to
// `destination`. Errors: those of CopyFile and model::ChooseCheckpointFiles.
absl::Status CopyCheckpoint(const RootPaths& roots, const std::string& source, const std::string& destination,
                            const base::CancellationToken& cancellation);

}  // namespace modelpatch::server
