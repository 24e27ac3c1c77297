#include "server/root_paths.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "core/base/text.h"

namespace modelpatch::server {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaximumPathBytes = 4096;

// All links followed, as far as the path exists; what does not exist is appended, with `.` and `..` folded.
absl::StatusOr<std::string> Canonical(const fs::path& path) {
  std::error_code error;
  const fs::path result = fs::weakly_canonical(path, error);
  if (error) return base::ErrnoError(error.value(), fmt::format("cannot resolve '{}'", base::Printable(path.string())));
  return result.string();
}

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error) && !error;
}

}  // namespace

absl::StatusOr<RootPaths> RootPaths::Make(const std::vector<std::string>& roots) {
  std::vector<std::string> canonical;
  for (const std::string& root : roots) {
    std::error_code error;
    const fs::path path = fs::canonical(root, error);
    if (error) return base::ErrnoError(error.value(), fmt::format("cannot use '{}' as a root", root));
    if (!fs::is_directory(path, error)) {
      return base::InvalidArgument("NOT_A_DIRECTORY", fmt::format("the root '{}' is not a directory", root));
    }
    canonical.push_back(path.string());
  }
  return RootPaths(std::move(canonical));
}

bool RootPaths::IsBelowRoot(const std::string& canonical) const {
  return std::any_of(roots_.begin(), roots_.end(), [&](const std::string& root) {
    return root == "/" || canonical == root ||
           (canonical.size() > root.size() && canonical.compare(0, root.size(), root) == 0 &&
            canonical[root.size()] == '/');
  });
}

absl::StatusOr<std::string> RootPaths::Resolve(std::string_view path) const {
  if (path.empty() || path.size() > kMaximumPathBytes || path.find('\0') != std::string_view::npos) {
    return base::InvalidArgument(
        "BAD_PATH", fmt::format("'{}' ({} bytes) is not a path; give 1 to {} bytes without NUL", base::Printable(path),
                                path.size(), kMaximumPathBytes));
  }
  if (roots_.empty()) {
    return base::PermissionDenied("NO_IMPORT_ROOT",
                                  "this server has no import root; start it with --import-root DIR to import from DIR");
  }
  const fs::path given{std::string(path)};
  std::vector<fs::path> candidates;
  if (given.is_absolute()) {
    candidates.push_back(given);
  } else {
    for (const std::string& root : roots_) candidates.push_back(fs::path(root) / given);
  }
  bool inside = false;
  for (const fs::path& candidate : candidates) {
    MP_ASSIGN_OR_RETURN(const std::string canonical, Canonical(candidate));
    if (!IsBelowRoot(canonical)) continue;
    inside = true;
    if (Exists(canonical)) return canonical;
  }
  if (!inside) {
    return base::PermissionDenied(
        "PATH_OUTSIDE_ROOTS", fmt::format("'{}' is not below an import root of this server", base::Printable(path)));
  }
  return base::NotFound("FILE_NOT_FOUND", fmt::format("there is no '{}' on the server", base::Printable(path)));
}

}  // namespace modelpatch::server
