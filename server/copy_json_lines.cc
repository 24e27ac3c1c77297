#include "server/copy_json_lines.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <unordered_set>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/data/json_lines.h"
#include "server/content_directory.h"
#include "server/copy_files.h"

namespace modelpatch::server {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaximumImageBytes = uint64_t{1} << 30;

// Errors name the image as its line does.
absl::Status CopyImage(const RootPaths& roots, const std::string& directory, const std::string& name,
                       const std::string& target, const base::CancellationToken& cancellation) {
  const std::string destination = target + "/" + name;
  MP_RETURN_IF_ERROR(base::CreateDirectories(fs::path(destination).parent_path().string()));
  const absl::Status copied = CopyFile(roots, directory + "/" + name, destination, cancellation, kMaximumImageBytes);
  const std::string shown = base::Printable(name);
  if (absl::IsNotFound(copied)) {
    return base::NotFound(base::ReasonOf(copied),
                          fmt::format("there is no image '{}' below the directory of this file", shown));
  }
  return base::WithContext(WithPathShownAs(copied, directory + "/", ""), fmt::format("the image '{}'", shown));
}

}  // namespace

absl::Status CopyJsonLines(const RootPaths& roots, const std::string& source, const std::string& target,
                           const base::CancellationToken& cancellation) {
  MP_ASSIGN_OR_RETURN(const std::string resolved, roots.Resolve(source));
  // Beside the file as it was named: a link to it may lie with the images.
  const fs::path beside = fs::path(source).is_absolute() ? fs::path(source) : fs::path(resolved);
  const std::string directory = beside.parent_path().string();
  const std::string name = fs::path(source).filename().string();
  MP_RETURN_IF_ERROR(base::CreateDirectories(target));
  MP_RETURN_IF_ERROR(CopyFile(roots, source, target + "/" + name, cancellation, data::kMaximumJsonLinesFileBytes));
  // What was copied is what counts: the original may change.
  MP_ASSIGN_OR_RETURN(const std::string content, base::ReadFile(target + "/" + name, data::kMaximumJsonLinesFileBytes));
  std::unordered_set<std::string> copied = {name};
  const auto copy = [&](int64_t, const data::JsonLine& example) {
    if (!copied.insert(example.image).second) return absl::OkStatus();
    return CopyImage(roots, directory, example.image, target, cancellation);
  };
  return base::WithContext(data::ForEachJsonLine(content, copy), base::Printable(source));
}

}  // namespace modelpatch::server
