#include "server/uploads/upload_manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string_view>
#include <utility>

#include "core/base/digest.h"
#include "core/base/text.h"

namespace modelpatch::server {
namespace {

constexpr size_t kMaximumPathBytes = 1024;
constexpr size_t kMaximumPartBytes = 255;
constexpr int64_t kMaximumBytes = int64_t{1} << 50;
constexpr size_t kDigestDigits = 64;

absl::Status BadPath(std::string_view path) {
  return base::WithField(
      base::InvalidArgument(
          "BAD_UPLOAD_PATH",
          fmt::format(
              "'{}' ({} bytes) is no path within the upload; give at most {} bytes of UTF-8, in parts of at most "
              "{} with '/' between them, neither absolute nor with '.' or '..'",
              base::Printable(path), path.size(), kMaximumPathBytes, kMaximumPartBytes)),
      "path");
}

absl::Status CheckPath(std::string_view path) {
  if (path.size() > kMaximumPathBytes || path.find('\0') != std::string_view::npos || !base::IsValidUtf8(path)) {
    return BadPath(path);
  }
  // An absolute path has an empty first part.
  for (size_t start = 0; start <= path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (part.empty() || part == "." || part == ".." || part.size() > kMaximumPartBytes) return BadPath(path);
    start = end + 1;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> CheckDigest(std::string_view digest) {
  std::string lower(digest);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  const bool is_hex =
      std::all_of(lower.begin(), lower.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (is_hex && lower.size() == kDigestDigits) return lower;
  return base::WithField(
      base::InvalidArgument("BAD_DIGEST", fmt::format("'{}' is no SHA-256; give {} hexadecimal digits",
                                                      base::Printable(digest), kDigestDigits)),
      "sha256");
}

// No path may be there twice, as a file or as the directory of another.
absl::Status CheckDistinct(const std::vector<UploadManifest::File>& files) {
  std::set<std::string_view> paths;
  for (size_t i = 0; i < files.size(); ++i) {
    if (paths.insert(files[i].path).second) continue;
    return base::WithField(base::InvalidArgument("DUPLICATE_UPLOAD_PATH",
                                                 fmt::format("'{}' is there twice", base::Printable(files[i].path))),
                           fmt::format("files[{}].path", i));
  }
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string_view path = files[i].path;
    for (size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
      if (!paths.contains(path.substr(0, slash))) continue;
      return base::WithField(
          base::InvalidArgument("DUPLICATE_UPLOAD_PATH",
                                fmt::format("'{}' needs a directory where another file is", base::Printable(path))),
          fmt::format("files[{}].path", i));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<UploadManifest::File> CheckFile(const v1::UploadFile& message) {
  MP_RETURN_IF_ERROR(CheckPath(message.path()));
  if (message.size_bytes() < 0 || message.size_bytes() > kMaximumBytes) {
    return base::WithField(
        base::InvalidArgument("BAD_FILE_SIZE", fmt::format("{} bytes are no size of a file", message.size_bytes())),
        "size_bytes");
  }
  MP_ASSIGN_OR_RETURN(std::string digest, CheckDigest(message.sha256()));
  return UploadManifest::File{message.path(), message.size_bytes(), std::move(digest)};
}

}  // namespace

absl::StatusOr<UploadManifest> CheckManifest(const v1::UploadManifest& message, int64_t maximum_files) {
  UploadManifest manifest;
  manifest.upload_id = message.upload_id();
  if (!manifest.upload_id.empty()) {
    MP_RETURN_IF_ERROR(base::WithField(base::CheckResourceId(manifest.upload_id), "upload_id"));
  }
  if (message.files().empty() || message.files_size() > maximum_files) {
    return base::WithField(base::InvalidArgument(message.files().empty() ? "NO_FILES" : "TOO_MANY_FILES",
                                                 fmt::format("the manifest has {} files; send 1 to {}",
                                                             message.files_size(), maximum_files)),
                           "files");
  }
  base::Sha256 digest;
  manifest.files.reserve(static_cast<size_t>(message.files_size()));
  for (int i = 0; i < message.files_size(); ++i) {
    auto file = CheckFile(message.files(i));
    if (!file.ok()) return base::WithField(file.status(), fmt::format("files[{}]", i));
    manifest.bytes += file->bytes;
    if (manifest.bytes > kMaximumBytes) {
      return base::WithField(base::InvalidArgument("BAD_FILE_SIZE", "the files have more bytes than any disk"),
                             fmt::format("files[{}].size_bytes", i));
    }
    digest.UpdateInteger(file->path.size());
    digest.Update(file->path);
    digest.UpdateInteger(static_cast<uint64_t>(file->bytes));
    digest.Update(file->sha256);
    manifest.files.push_back(*std::move(file));
  }
  manifest.digest = digest.Finish();
  MP_RETURN_IF_ERROR(CheckDistinct(manifest.files));
  return manifest;
}

}  // namespace modelpatch::server
