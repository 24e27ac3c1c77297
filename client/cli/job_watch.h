// Following a job while it runs.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client {

class Session;

// Shows the job's events until it has ended: as JSON on `session.out()`, or as lines and a progress bar on
// `session.error()`. Returns the job as it then is, whatever became of it.
absl::StatusOr<v1::PatchJob> WatchJob(Session& session, const std::string& name);

}  // namespace modelpatch::client
