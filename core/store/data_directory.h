// DataDirectory: the server's directory tree, held by one server at a time.
//
//   lock          held (flock) while the server lives; contains its process id
//   modelpatch.db metadata (SQLite)
//   models/ tasks/ blobs/   content
//   jobs/         <job id>/…, see core/sched/step_directory.h
//   staging/      half-made content, on the same file system as the rest; emptied at every start
//
// Thread safety: immutable. Move-only; the lock is released by the destructor, or by the kernel when the process dies.
#pragma once

#include <string>

#include "core/base/status.h"

namespace modelpatch::store {

class DataDirectory {
 public:
  // Makes what is missing, with mode 0700. FAILED_PRECONDITION (DATA_DIRECTORY_IN_USE) if another server holds it.
  static absl::StatusOr<DataDirectory> Open(const std::string& path);
  ~DataDirectory();
  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&& other) noexcept;

  // All paths are absolute.
  const std::string& path() const { return path_; }
  std::string models_path() const { return path_ + "/models"; }
  std::string tasks_path() const { return path_ + "/tasks"; }
  std::string blobs_path() const { return path_ + "/blobs"; }
  std::string jobs_path() const { return path_ + "/jobs"; }
  std::string staging_path() const { return path_ + "/staging"; }
  std::string metadata_path() const { return path_ + "/modelpatch.db"; }

 private:
  DataDirectory() = default;
  std::string path_;
  int lock_ = -1;
};

}  // namespace modelpatch::store
