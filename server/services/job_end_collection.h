// The collection of blobs at the end of jobs: of one that failed or was cancelled, whose blob no record names, and of
// what was spared for its sake while it ran.
//
// Thread safety: free functions, thread-safe. What `context` refers to outlives its executors and the scheduler's
// watches.
#pragma once

#include <string>

#include "server/services/service_context.h"

namespace modelpatch::server {

// Collects, on the slow executor, when the job has ended (also if that was before). Not if the server stops first.
void CollectBlobsAfter(const ServiceContext& context, const std::string& job_id);

// The same for all jobs that an earlier server has left unfinished.
void CollectBlobsAfterUnfinishedJobs(const ServiceContext& context);

}  // namespace modelpatch::server
