// Files: mapped for reading, or written so that a reader sees all of the new content or none of it.
//
// Thread safety: free functions are thread-safe; a MappedFile is immutable. Errors: see ErrnoError; a path that is not
// a regular file (directory, pipe, device, socket) is INVALID_ARGUMENT (NOT_A_REGULAR_FILE), and never blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/status.h"

namespace modelpatch::base {

// A regular file mapped read-only. The view lives as long as this object.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> Open(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  MappedFile() = default;
  void* data_ = nullptr;
  size_t size_ = 0;
};

// The whole content of a regular file of at most `maximum_size` bytes; a larger one is INVALID_ARGUMENT
// (FILE_TOO_LARGE).
absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t maximum_size);

// A new file that appears at its path when it is whole, and not at all otherwise. One thread uses it.
class AtomicFile {
 public:
  // Opens a temporary file beside `path`.
  static absl::StatusOr<AtomicFile> Create(const std::string& path);
  // Removes the temporary file unless committed.
  ~AtomicFile();
  AtomicFile(AtomicFile&& other) noexcept { *this = std::move(other); }
  AtomicFile& operator=(AtomicFile&& other) noexcept;

  absl::Status Append(std::string_view bytes);
  // Fsyncs, renames to the path, fsyncs the directory.
  absl::Status Commit();

 private:
  AtomicFile() = default;
  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

// Writes a temporary file beside `path`, fsyncs it, renames it to `path`, fsyncs the directory. On an error nothing is
// left behind and an older `path` is as it was.
absl::Status WriteFileAtomically(const std::string& path, std::string_view content);

// fsync of a directory, so that a rename in it survives a power cut.
absl::Status SyncDirectory(const std::string& path);

// fsync of a file by path.
absl::Status SyncFile(const std::string& path);

// mkdir -p, mode 0700 for the directories it makes.
absl::Status CreateDirectories(const std::string& path);

// rm -rf; a path that does not exist is OK.
absl::Status RemoveAll(const std::string& path);

}  // namespace modelpatch::base
