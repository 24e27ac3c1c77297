#include "server/garbage_collection.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "core/base/file.h"
#include "core/data/task_source.h"
#include "core/train/step_result.h"
#include "server/job_checkpoints.h"
#include "server/job_graph.h"
#include "server/services/listing.h"
#include "server/task_conversion.h"

namespace modelpatch::server {
namespace {

// How far the clock of a (network) file system may be behind ours.
constexpr std::chrono::minutes kClockTolerance{1};

void RemoveUnknown(const std::string& path, const std::function<bool(const std::string& name)>& known,
                   base::Logger& log) {
  std::error_code error;
  std::vector<std::string> unknown;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!known(name)) unknown.push_back(it->path().string());
  }
  for (const std::string& one : unknown) {
    const absl::Status removed = base::RemoveAll(one);
    log.Info("removed what no record names", {{"path", one}, {"error", std::string(removed.message())}});
  }
}

absl::StatusOr<std::set<std::string>> ModelDigests(store::MetadataStore& metadata) {
  std::set<std::string> digests;
  MP_RETURN_IF_ERROR(
      AnyRecord<store::ModelRecord>([&](const store::PageRequest& page) { return metadata.ListModels(page); },
                                    [&](const store::ModelRecord& record) {
                                      digests.insert(record.digest);
                                      return false;
                                    })
          .status());
  return digests;
}

absl::StatusOr<std::set<std::string>> TaskKeys(store::MetadataStore& metadata) {
  std::set<std::string> keys;
  bool damaged = false;
  MP_RETURN_IF_ERROR(
      AnyRecord<store::TaskRecord>([&](const store::PageRequest& page) { return metadata.ListTasks(page); },
                                   [&](const store::TaskRecord& record) {
                                     const auto source = data::TaskSourceFromJson(record.source_json);
                                     damaged = damaged || !source.ok();
                                     if (source.ok()) keys.insert(ContentKeyOf(*source));
                                     return false;
                                   })
          .status());
  if (damaged) return base::DataLoss("METADATA_CORRUPT", "a task's stored source is damaged");
  return keys;
}

struct BlobUse {
  std::set<std::string> digests;
  base::WallTime before;  // what is older and not among `digests` is not used
};

// The blobs that a step of an unfinished job has made.
std::vector<std::string> BlobsOf(const store::StepRecord& step) {
  std::vector<std::string> blobs;
  if (step.state != store::StepState::kSucceeded) return blobs;
  std::vector<MadeCheckpoint> made;
  if (IsSearchStep(step.name)) {
    const auto result = train::SearchResultFromJson(step.result);
    if (result.ok()) made = MadeBy(step, *result);
  } else {
    const auto result = train::FineTuneResultFromJson(step.result);
    if (result.ok()) made = MadeBy(step, *result);
    // Fisher information is no checkpoint, and a merging needs it.
    if (result.ok()) blobs.push_back(result->fisher_blob);
  }
  for (const MadeCheckpoint& checkpoint : made) blobs.push_back(checkpoint.blob);
  return blobs;
}

absl::StatusOr<BlobUse> BlobsInUse(store::MetadataStore& metadata, base::WallTime now) {
  BlobUse use{{}, now};
  // Before the checkpoints: a job that finishes in between has its checkpoint by then.
  MP_ASSIGN_OR_RETURN(const std::vector<store::JobRecord> unfinished, metadata.ListUnfinishedJobs());
  for (const store::JobRecord& job : unfinished) {
    if (job.start_time.has_value()) use.before = std::min(use.before, *job.start_time - kClockTolerance);
    const auto steps = metadata.ListSteps(job.id);
    if (!steps.ok() && steps.status().code() != absl::StatusCode::kNotFound) return steps.status();
    if (!steps.ok()) continue;  // deleted meanwhile
    for (const store::StepRecord& step : *steps) {
      for (const std::string& blob : BlobsOf(step)) use.digests.insert(blob);
    }
  }
  MP_ASSIGN_OR_RETURN(const std::vector<std::string> recorded, metadata.ListBlobDigests());
  use.digests.insert(recorded.begin(), recorded.end());
  return use;
}

}  // namespace

void CollectGarbage(const store::DataDirectory& directory, store::MetadataStore& metadata, base::Logger& log) {
  if (const auto digests = ModelDigests(metadata); digests.ok()) {
    RemoveUnknown(
        directory.models_path(), [&](const std::string& name) { return digests->contains(name); }, log);
  }
  if (const auto keys = TaskKeys(metadata); keys.ok()) {
    RemoveUnknown(
        directory.tasks_path(), [&](const std::string& name) { return keys->contains(name); }, log);
  }
  // Nothing of this server is being written, and the workers of an earlier one belong to unfinished jobs.
  CollectBlobs(store::BlobStore(directory.blobs_path()), metadata, base::WallTime::max(), log);
}

void CollectBlobs(const store::BlobStore& blobs, store::MetadataStore& metadata, base::WallTime now,
                  base::Logger& log) {
  base::MutexLock lock(blobs.mutex());
  absl::StatusOr<BlobUse> use = BlobsInUse(metadata, now);
  const auto removed = use.ok() ? blobs.RemoveUnused(use->digests, use->before) : use.status();
  if (!removed.ok()) {
    log.Warning("cannot collect the blobs that are not used", {{"error", std::string(removed.status().message())}});
    return;
  }
  for (const std::string& name : *removed) log.Info("removed a blob that is not used", {{"file", name}});
}

}  // namespace modelpatch::server
