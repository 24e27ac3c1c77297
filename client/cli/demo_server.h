// DemoServer: a modelpatch-server with a temporary data directory, for as long as the object lives.
//
// Thread safety: CleanUp may be called from any thread and any number of times, the rest not. Invariant: once CleanUp
// has returned, neither the process nor the directory is there, unless Keep was called.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace modelpatch::client {

class DemoServer {
 public:
  struct Options {
    // Path of modelpatch-server.
    std::string binary;
    std::vector<std::string> import_roots;
  };

  // Starts the server on free loopback ports. Returns before it serves.
  static absl::StatusOr<std::unique_ptr<DemoServer>> Start(const Options& options);
  ~DemoServer();
  DemoServer(const DemoServer&) = delete;
  DemoServer& operator=(const DemoServer&) = delete;

  // Waits until the server serves. UNAVAILABLE, with the end of its log, if it ends instead or takes more than a
  // minute.
  absl::Status WaitUntilReady();

  // Of the gRPC and the HTTP port. Empty before it is ready.
  const std::string& address() const { return address_; }
  const std::string& http_address() const { return http_address_; }
  pid_t pid() const { return pid_; }
  // The temporary directory.
  const std::string& directory() const { return directory_; }
  std::string data_directory() const { return directory_ + "/data"; }
  std::string log_path() const { return directory_ + "/server.log"; }

  // Leaves the server running and its directory in place.
  void Keep();
  // Cancels the jobs that have not ended, ends the server, and removes the directory.
  void CleanUp();

 private:
  explicit DemoServer(std::string directory) : directory_(std::move(directory)) {}

  absl::Status Spawn(const Options& options);
  bool HasExited();
  void CancelJobs();

  const std::string directory_;
  pid_t pid_ = -1;
  std::string address_;
  std::string http_address_;
  std::mutex mutex_;
  bool exited_ = false;      // guarded by mutex_: the process was waited for, its id may be another's by now
  bool cleaned_up_ = false;  // guarded by mutex_: or kept
};

}  // namespace modelpatch::client
