#include "server/garbage_collection.h"

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "core/base/file.h"
#include "core/data/task_source.h"
#include "server/services/listing.h"
#include "server/task_conversion.h"

namespace modelpatch::server {
namespace {

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
  const auto unfinished = metadata.ListUnfinishedJobs();
  const auto used = metadata.ListBlobDigests();
  if (!unfinished.ok() || !unfinished->empty() || !used.ok()) return;
  const std::set<std::string> digests(used->begin(), used->end());
  RemoveUnknown(
      directory.blobs_path(), [&](const std::string& name) { return digests.contains(name.substr(0, name.find('.'))); },
      log);
}

}  // namespace modelpatch::server
