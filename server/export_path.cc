#include "server/export_path.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "core/base/text.h"

namespace modelpatch::server {

namespace fs = std::filesystem;

absl::StatusOr<std::string> ResolveExportPath(const std::string& root, std::string_view path) {
  constexpr size_t kMaximumPathBytes = 4096;
  const fs::path given{std::string(path)};
  const std::string name = given.filename().string();
  if (path.size() > kMaximumPathBytes || path.find('\0') != std::string_view::npos || name.empty() || name == "." ||
      name == "..") {
    return base::InvalidArgument(
        "BAD_PATH", fmt::format("'{}' ({} bytes) does not name a new directory", base::Printable(path), path.size()));
  }
  if (root.empty()) {
    return base::PermissionDenied("NO_EXPORT_ROOT",
                                  "this server has no export root; start it with --export-root DIR to export to DIR");
  }
  std::error_code error;
  const fs::path canonical_root = fs::canonical(root, error);
  if (error) return base::ErrnoError(error.value(), fmt::format("cannot use the export root '{}'", root));
  const fs::path wanted = given.is_absolute() ? given : canonical_root / given;
  const fs::path parent = fs::weakly_canonical(wanted.parent_path(), error);
  if (error) return base::ErrnoError(error.value(), fmt::format("cannot resolve '{}'", base::Printable(path)));
  const fs::path from_root = parent.lexically_relative(canonical_root);
  if (from_root.empty() || *from_root.begin() == "..") {
    return base::PermissionDenied(
        "PATH_OUTSIDE_ROOTS", fmt::format("'{}' is not below the export root of this server", base::Printable(path)));
  }
  if (!fs::is_directory(parent, error)) {
    return base::NotFound("FILE_NOT_FOUND",
                          fmt::format("there is no directory '{}' on the server", base::Printable(parent.string())));
  }
  const fs::path target = parent / name;
  if (fs::symlink_status(target, error).type() != fs::file_type::not_found) {
    return base::AlreadyExists("PATH_EXISTS",
                               fmt::format("there is a '{}' on the server already", base::Printable(target.string())));
  }
  return target.string();
}

}  // namespace modelpatch::server
