#include "server/model_export.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include "core/base/file.h"
#include "core/model/model_loader.h"
#include "core/model/model_writer.h"
#include "server/content_directory.h"

namespace modelpatch::server {
namespace {

absl::Status WriteLayout(const std::string& directory, v1::ExportLayout layout, const model::ModelFiles& files,
                         const tensor::WeightSet& image_weights, const tensor::WeightSet& text_weights) {
  if (layout == v1::EXPORT_LAYOUT_OPEN_CLIP) {
    return model::WriteOpenClipModel(directory, files, image_weights, text_weights, std::nullopt);
  }
  return model::WriteModel(directory, files, image_weights, text_weights, std::nullopt);
}

// Our own files are for us alone; these are for the tools of other users.
void OpenToOthers(const std::string& directory) {
  std::error_code error;
  std::filesystem::permissions(directory, std::filesystem::perms{0755}, error);
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::filesystem::permissions(it->path(), std::filesystem::perms{0644}, error);
  }
}

}  // namespace

absl::Status CheckLayout(v1::ExportLayout layout) {
  if (v1::ExportLayout_IsValid(layout)) return absl::OkStatus();
  return base::WithField(base::InvalidArgument("BAD_LAYOUT", fmt::format("{} is no layout", static_cast<int>(layout))),
                         "layout");
}

absl::Status WriteExport(const std::string& path, v1::ExportLayout layout, const model::ClipModel& model,
                         const std::string& model_directory, const tensor::WeightSet& weights,
                         const std::string& model_card) {
  MP_ASSIGN_OR_RETURN(const model::ModelFiles files, model::FilesOf(model, model_directory));
  std::string pattern = path + ".partial-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) return base::ErrnoError(errno, fmt::format("cannot make '{}'", pattern));
  const StagedDirectory staged(pattern);
  MP_RETURN_IF_ERROR(
      WithPathShownAs(WriteLayout(staged.path(), layout, files, weights, model.text_weights), staged.path(), path));
  MP_RETURN_IF_ERROR(base::WriteFileAtomically(staged.path() + "/README.md", model_card));
  OpenToOthers(staged.path());
  if (renameat2(AT_FDCWD, staged.path().c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) return base::AlreadyExists("PATH_EXISTS", fmt::format("there is a '{}' already", path));
    return base::ErrnoError(errno, fmt::format("cannot move the export to '{}'", path));
  }
  return base::SyncDirectory(std::filesystem::path(path).parent_path().string());
}

}  // namespace modelpatch::server
