#include "server/uploads/upload_store.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <utility>
#include <vector>

#include "server/resource_names.h"

namespace modelpatch::server {
namespace {

// What manifests take in memory is bounded by these.
constexpr int64_t kMaximumUploads = 256;
constexpr int64_t kMaximumFiles = 1'000'000;
// The files as they came, and the copy that an import makes.
constexpr int64_t kCopies = 2;

absl::Status NotFound(const std::string& id) {
  return base::NotFound("UPLOAD_NOT_FOUND",
                        fmt::format("there is no {}; it was never begun, or is finished, refused or expired",
                                    ResourceName(kUploads, id)));
}

absl::Status InUse(const std::string& id) {
  return base::Error(absl::StatusCode::kAborted, "UPLOAD_IN_USE",
                     fmt::format("another call is sending {}; wait until it has ended", ResourceName(kUploads, id)));
}

// Of the file system, for users; more than any upload if it cannot be told.
int64_t FreeBytes(const std::string& path) {
  struct statvfs info {};
  if (statvfs(path.c_str(), &info) != 0) return INT64_MAX;
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
}

}  // namespace

UploadStore::Session::~Session() { store_.End(std::move(upload_), keep_); }

UploadStore::UploadStore(UploadStoreOptions options, const base::Clock& clock, base::Timer& timer,
                         base::Executor& executor)
    : options_(std::move(options)), clock_(clock), timer_(timer), executor_(executor) {}

absl::StatusOr<std::unique_ptr<UploadStore::Session>> UploadStore::Begin(UploadManifest manifest) {
  Sweep();
  base::MutexLock lock(mutex_);
  const std::string id = manifest.upload_id;
  if (const auto found = entries_.find(id); found != entries_.end()) return Resume(found->second, manifest);
  MP_RETURN_IF_ERROR(Reserve(manifest));
  MP_ASSIGN_OR_RETURN(std::unique_ptr<StagedDirectory> directory, MakeStagedDirectory(options_.staging_path));
  uploads_ += 1;
  files_ += static_cast<int64_t>(manifest.files.size());
  bytes_ += manifest.bytes;
  auto upload = std::make_shared<Upload>(std::move(manifest), std::move(directory));
  if (!id.empty()) entries_.emplace(id, Entry{upload, /*held=*/true, {}, {}});
  return std::unique_ptr<Session>(new Session(*this, std::move(upload)));
}

absl::StatusOr<std::unique_ptr<UploadStore::Session>> UploadStore::Resume(Entry& entry,
                                                                          const UploadManifest& manifest) {
  if (entry.upload->manifest().digest != manifest.digest) {
    return base::WithField(
        base::AlreadyExists("UPLOAD_ID_REUSED",
                            fmt::format("upload_id '{}' was used for other files; give another one, or delete {} first",
                                        manifest.upload_id, ResourceName(kUploads, manifest.upload_id))),
        "upload_id");
  }
  if (entry.held) return base::WithField(InUse(manifest.upload_id), "upload_id");
  entry.held = true;
  return std::unique_ptr<Session>(new Session(*this, entry.upload));
}

absl::Status UploadStore::Reserve(const UploadManifest& manifest) {
  if (manifest.bytes > options_.maximum_bytes) {
    return base::ResourceExhausted(
        "UPLOAD_TOO_LARGE",
        fmt::format("the files have {} bytes, and uploads may take {}; import them from a directory "
                    "of the server, or start it with a larger --max-upload-bytes",
                    manifest.bytes, options_.maximum_bytes));
  }
  if (manifest.bytes > options_.maximum_bytes - bytes_) {
    return base::ResourceExhausted(
        "UPLOADS_FULL", fmt::format("the files have {} bytes, and other uploads hold {} of {}; try again later",
                                    manifest.bytes, bytes_, options_.maximum_bytes));
  }
  if (uploads_ >= kMaximumUploads || files_ + static_cast<int64_t>(manifest.files.size()) > kMaximumFiles) {
    return base::ResourceExhausted(
        "TOO_MANY_UPLOADS",
        fmt::format("{} uploads of {} files are under way or wait; try again later", uploads_, files_));
  }
  const int64_t free_bytes = FreeBytes(options_.staging_path);
  if (manifest.bytes > free_bytes / kCopies) {
    return base::ResourceExhausted(
        "DISK_FULL", fmt::format("the files have {} bytes, with the server's own copy twice as many, and {} are free",
                                 manifest.bytes, free_bytes));
  }
  return absl::OkStatus();
}

void UploadStore::End(std::shared_ptr<Upload> upload, bool keep) {
  {
    base::MutexLock lock(mutex_);
    const auto found = entries_.find(upload->manifest().upload_id);
    if (found != entries_.end() && keep) {
      found->second.held = false;
      found->second.expires = clock_.SteadyNow() + options_.time_to_live;
      found->second.expires_at = clock_.Now() + options_.time_to_live;
      timer_.After(options_.time_to_live + std::chrono::seconds(1),
                   [this] { executor_.Schedule([this] { Sweep(); }); });
      return;
    }
    if (found != entries_.end()) entries_.erase(found);
  }
  Remove(std::move(upload));
}

void UploadStore::Remove(std::shared_ptr<Upload> upload) {
  const auto files = static_cast<int64_t>(upload->manifest().files.size());
  const int64_t bytes = upload->manifest().bytes;
  upload.reset();
  base::MutexLock lock(mutex_);
  uploads_ -= 1;
  files_ -= files;
  bytes_ -= bytes;
}

absl::StatusOr<UploadStore::Status> UploadStore::Get(const std::string& id) {
  base::MutexLock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || (!found->second.held && found->second.expires <= clock_.SteadyNow())) {
    return NotFound(id);
  }
  const Upload& upload = *found->second.upload;
  Status status{upload.manifest().bytes, upload.received(), std::nullopt};
  if (!found->second.held) status.expires = found->second.expires_at;
  return status;
}

absl::Status UploadStore::Delete(const std::string& id) {
  std::shared_ptr<Upload> upload;
  {
    base::MutexLock lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return NotFound(id);
    if (found->second.held) return InUse(id);
    upload = std::move(found->second.upload);
    entries_.erase(found);
  }
  Remove(std::move(upload));
  return absl::OkStatus();
}

void UploadStore::Sweep() {
  std::vector<std::shared_ptr<Upload>> expired;
  {
    base::MutexLock lock(mutex_);
    const base::SteadyTime now = clock_.SteadyNow();
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      if (entry->second.held || entry->second.expires > now) {
        ++entry;
        continue;
      }
      expired.push_back(std::move(entry->second.upload));
      entry = entries_.erase(entry);
    }
  }
  for (auto& upload : expired) Remove(std::move(upload));
}

}  // namespace modelpatch::server
