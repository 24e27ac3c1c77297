// ContentDirectory: immutable directories named by the digest of what they hold: the server's own copies of models and
// of tasks' files. They are made in the staging directory and renamed, so that one is there as a whole or not at all.
//
// Thread safety: thread-safe. Who publishes content and then records it, or forgets a record and then removes the
// content, holds mutex() meanwhile, so that content in use is never removed.
#pragma once

#include <memory>
#include <string>

#include "core/base/mutex.h"
#include "core/base/status.h"

namespace modelpatch::server {

// A directory of its own that is removed at the end, unless it was published. Belongs to one thread.
class StagedDirectory {
 public:
  explicit StagedDirectory(std::string path) : path_(std::move(path)) {}
  ~StagedDirectory();
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  friend class ContentDirectory;
  std::string path_;
};

// A new one in `staging_path`. RESOURCE_EXHAUSTED (DISK_FULL).
absl::StatusOr<std::unique_ptr<StagedDirectory>> MakeStagedDirectory(const std::string& staging_path);

class ContentDirectory {
 public:
  // Both on one file system.
  ContentDirectory(std::string path, std::string staging_path);

  const std::string& path() const { return path_; }
  std::string PathOf(const std::string& key) const { return path_ + "/" + key; }
  base::Mutex& mutex() MP_THREAD_ATTRIBUTE(lock_returned(mutex_)) { return mutex_; }

  // An empty directory to fill. RESOURCE_EXHAUSTED (DISK_FULL).
  absl::StatusOr<std::unique_ptr<StagedDirectory>> Stage() const;

  // Makes what was staged durable and gives it its name. What has that name already stays, and the staged copy goes.
  absl::Status Publish(StagedDirectory& staged, const std::string& key) MP_REQUIRES(mutex_);

  absl::Status Remove(const std::string& key) MP_REQUIRES(mutex_);

 private:
  const std::string path_;
  const std::string staging_path_;
  base::Mutex mutex_;
};

// `status` with `to` for every `from` in its message: a client is told of its own files, not of our copies.
absl::Status WithPathShownAs(const absl::Status& status, const std::string& from, const std::string& to);

// The bytes of all regular files below `path`; 0 if it cannot be read.
int64_t DirectoryBytes(const std::string& path);

}  // namespace modelpatch::server
