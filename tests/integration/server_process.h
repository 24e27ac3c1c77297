// ServerProcess: a real modelpatch-server in a process of its own, on free ports.
//
// Belongs to one thread. The destructor kills what still runs.
#pragma once

#include <grpcpp/channel.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace modelpatch::testing {

class ServerProcess {
 public:
  // Starts the server and waits until it serves. `arguments` are added to --data-dir and the addresses. Null, with a
  // test failure, if it does not come up.
  static std::unique_ptr<ServerProcess> Start(const std::string& data_dir, std::vector<std::string> arguments = {});
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& grpc_address() const { return grpc_address_; }
  const std::string& http_address() const { return http_address_; }
  pid_t pid() const { return pid_; }
  // A new connection, which takes messages of any size.
  std::shared_ptr<grpc::Channel> Connect() const;

  void Signal(int signal) const;
  // Waits for the end; the exit code, or minus the signal that ended it.
  int Wait();
  bool IsRunning();

 private:
  ServerProcess() = default;

  pid_t pid_ = -1;
  int output_ = -1;
  std::string grpc_address_;
  std::string http_address_;
};

// Runs modelpatch-server to its end with exactly these arguments. Its standard error goes to `error_output`, if that is
// not null. The exit code, or minus the signal.
int RunServerProgram(const std::vector<std::string>& arguments, std::string* error_output);

}  // namespace modelpatch::testing
