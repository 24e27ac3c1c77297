// Writes a mixture of a model as a directory that other tools load.
//
// Blocks. Thread safety: pure functions.
#pragma once

#include <string>

#include "core/base/status.h"
#include "core/model/clip_model.h"
#include "modelpatch/v1/model_service.pb.h"

namespace modelpatch::server {

// INVALID_ARGUMENT (BAD_LAYOUT) with the field `layout`.
absl::Status CheckLayout(v1::ExportLayout layout);

// Writes the model that was loaded from `model_directory`, with `weights` for its image tower and
// `model_card` as README.md, beside `path` and moves it there: it is there as a whole, or not at all.
// FAILED_PRECONDITION (LAYOUT_UNSUPPORTED), ALREADY_EXISTS (PATH_EXISTS), RESOURCE_EXHAUSTED (DISK_FULL).
absl::Status WriteExport(const std::string& path, v1::ExportLayout layout, const model::ClipModel& model,
                         const std::string& model_directory, const tensor::WeightSet& weights,
                         const std::string& model_card);

}  // namespace modelpatch::server
