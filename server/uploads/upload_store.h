// UploadStore: the uploads that are under way or wait to be resumed, within their bytes.
//
// Thread-safe. Blocks on the disk: not for gRPC threads. What was interrupted lives in memory and in the staging
// directory, and does not outlive the server.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/base/executor.h"
#include "core/base/mutex.h"
#include "core/base/status.h"
#include "core/base/timer.h"
#include "server/uploads/upload.h"

namespace modelpatch::server {

struct UploadStoreOptions {
  // On the file system of the content directories.
  std::string staging_path;
  int64_t maximum_bytes = 0;
  // How long an interrupted upload stays.
  std::chrono::seconds time_to_live{0};
};

class UploadStore {
 public:
  // One call's hold on an upload. Its end removes the upload, unless Keep was called.
  class Session {
   public:
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    Upload& upload() { return *upload_; }
    // At its end, the upload waits to be resumed, if it has an id.
    void Keep() { keep_ = true; }

   private:
    friend class UploadStore;
    Session(UploadStore& store, std::shared_ptr<Upload> upload) : store_(store), upload_(std::move(upload)) {}
    UploadStore& store_;
    std::shared_ptr<Upload> upload_;
    bool keep_ = false;
  };

  // What a waiting or running upload is like.
  struct Status {
    int64_t bytes = 0;
    // Of each file.
    std::vector<int64_t> received;
    // Nothing while a call holds it.
    std::optional<base::WallTime> expires;
  };

  // `timer` and `executor` run what removes expired uploads; all of them outlive the store, or are gone before anything
  // can run on them.
  UploadStore(UploadStoreOptions options, const base::Clock& clock, base::Timer& timer, base::Executor& executor);

  // A new upload, or the one of the manifest's id. ABORTED (UPLOAD_IN_USE) if a call holds it, ALREADY_EXISTS
  // (UPLOAD_ID_REUSED) if it has other files, RESOURCE_EXHAUSTED (UPLOAD_TOO_LARGE, UPLOADS_FULL, TOO_MANY_UPLOADS,
  // DISK_FULL).
  absl::StatusOr<std::unique_ptr<Session>> Begin(UploadManifest manifest);

  // NOT_FOUND (UPLOAD_NOT_FOUND).
  absl::StatusOr<Status> Get(const std::string& id);
  // NOT_FOUND (UPLOAD_NOT_FOUND), ABORTED (UPLOAD_IN_USE).
  absl::Status Delete(const std::string& id);
  // Removes what has expired.
  void Sweep();

 private:
  struct Entry {
    std::shared_ptr<Upload> upload;
    bool held = true;
    base::SteadyTime expires;
    base::WallTime expires_at;
  };

  absl::StatusOr<std::unique_ptr<Session>> Resume(Entry& entry, const UploadManifest& manifest) MP_REQUIRES(mutex_);
  absl::Status Reserve(const UploadManifest& manifest) MP_REQUIRES(mutex_);
  void End(std::shared_ptr<Upload> upload, bool keep) MP_EXCLUDES(mutex_);
  // Removes its files, and then gives its bytes back. Nobody else may hold it.
  void Remove(std::shared_ptr<Upload> upload) MP_EXCLUDES(mutex_);

  const UploadStoreOptions options_;
  const base::Clock& clock_;
  base::Timer& timer_;
  base::Executor& executor_;

  base::Mutex mutex_;
  // Those with an id.
  std::map<std::string, Entry> entries_ MP_GUARDED_BY(mutex_);
  int64_t uploads_ MP_GUARDED_BY(mutex_) = 0;
  int64_t files_ MP_GUARDED_BY(mutex_) = 0;
  int64_t bytes_ MP_GUARDED_BY(mutex_) = 0;
};

}  // namespace modelpatch::server
