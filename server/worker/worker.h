// The real worker: runs the step of a directory, tells of it in the event log, and leaves a result or an error.
//
// Called in the supervisor's child process, before any thread exists.
#pragma once

#include <string>

namespace modelpatch::server {

// The process's exit code: 0 if result.json was written.
int RunWorker(const std::string& step_directory);

}  // namespace modelpatch::server
