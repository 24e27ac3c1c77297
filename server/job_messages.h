// Patch jobs as the store has them, to the API's messages. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/sched/event_log.h"
#include "core/store/records.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

// The message kept in a job's record: its spec with all defaults, and its lineage. DATA_LOSS (METADATA_CORRUPT).
absl::StatusOr<v1::PatchJob> StoredJob(const store::JobRecord& record);

// The whole job. `progress` is the last "progress" event of a running one.
absl::StatusOr<v1::PatchJob> ToMessage(const store::JobRecord& record, const std::vector<store::StepRecord>& steps,
                                       const std::optional<sched::Event>& progress);

std::vector<std::string> StepNames(const std::vector<store::StepRecord>& steps);

// The bytes of a blob's file; 0 if it is not there.
int64_t BlobBytes(const std::string& blob_directory, const std::string& digest);

}  // namespace modelpatch::server
