// modelpatch-server: serves until SIGTERM or SIGINT.

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/tensor/compat.h"
#include "core/tensor/weight_memory.h"
#include "server/options.h"
#include "server/server.h"
#include "server/version.h"

namespace modelpatch::server {
namespace {

int Fail(base::Logger& log, const std::string& what, const absl::Status& status) {
  log.Error(what, {{"reason", base::ReasonOf(status)}, {"error", std::string(status.message())}});
  return 1;
}

absl::Status WriteReadyFile(const std::string& path, const Server& server) {
  if (path.empty()) return absl::OkStatus();
  const nlohmann::json json = {{"grpc", server.grpc_address()}, {"http", server.http_address()}, {"pid", getpid()}};
  return base::WriteFileAtomically(path, json.dump() + "\n");
}

int Run(const ServerOptions& options) {
  // Before any thread exists, so that all of them inherit it: signals are for the wait below alone.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const std::unique_ptr<base::Logger> log = base::MakeStderrLogger(options.log_format, options.log_level);
  tensor::KeepHeapForActivations();
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  tensor::SetIntraOpThreads(options.threads > 0 ? options.threads : cores);
  log->Info("modelpatch-server starts", {{"version", Version()}, {"runtime", tensor::DescribeRuntime()}});
  if (const std::string warning = tensor::SlowBlasWarning(); !warning.empty()) log->Warning(warning);

  // What a killed server left must not be taken for this one's.
  if (!options.ready_file.empty()) unlink(options.ready_file.c_str());
  auto server = Server::Start(options, *log);
  if (!server.ok()) return Fail(*log, "cannot start", server.status());
  if (const absl::Status written = WriteReadyFile(options.ready_file, **server); !written.ok()) {
    return Fail(*log, "cannot write the ready file", written);
  }
  fmt::print("gRPC on {}\nHTTP on http://{}\n", (*server)->grpc_address(), (*server)->http_address());
  std::fflush(stdout);
  log->Info("serving", {{"grpc", (*server)->grpc_address()}, {"http", (*server)->http_address()}});

  int signal = 0;
  sigwait(&signals, &signal);
  log->Info("stopping; running jobs go on", {{"signal", std::to_string(signal)}});
  // A second signal does not wait for the requests in flight.
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (*server)->Drain();
  if (!options.ready_file.empty()) unlink(options.ready_file.c_str());
  log->Info("stopped");
  return 0;
}

}  // namespace
}  // namespace modelpatch::server

int main(int argc, char** argv) {
  const modelpatch::server::CommandLine line =
      modelpatch::server::ParseCommandLine(std::vector<std::string>(argv + 1, argv + argc));
  if (!line.options.has_value()) {
    std::fputs(line.text.c_str(), line.exit_code == 0 ? stdout : stderr);
    return line.exit_code;
  }
  return modelpatch::server::Run(*line.options);
}
